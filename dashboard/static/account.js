// SPDX-License-Identifier: Apache-2.0

// What only a script can do on the pages of an account: show a passkey, and take the code
// of a link from behind its #, which browsers send to nobody. Passkeys go into a field of
// a form, which is then sent as any other.
"use strict";

const tooOld = "This browser cannot use passkeys. Use another way, or a newer browser.";
const notShown = "No passkey was used. Try again, or use another way.";

// options returns what the server asks of the browser.
async function options(form) {
	const answer = await fetch(form.dataset.options, { method: "POST", headers: { Accept: "application/json" } });
	if (!answer.ok || !(answer.headers.get("Content-Type") || "").startsWith("application/json")) {
		const text = (answer.headers.get("Content-Type") || "").startsWith("text/plain") ? await answer.text() : "";
		throw new Error(text || notShown);
	}
	return answer.json();
}

// passkey has the browser ask for a passkey, and returns its answer.
async function passkey(form) {
	if (!window.PublicKeyCredential || !PublicKeyCredential.parseRequestOptionsFromJSON) {
		throw new Error(tooOld);
	}
	const asked = await options(form);
	try {
		const made = form.dataset.passkey === "create"
			? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(asked) })
			: await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(asked) });
		return JSON.stringify(made);
	} catch {
		throw new Error(notShown);
	}
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
	const failed = form.querySelector(".error");
	const button = form.querySelector("button");
	form.addEventListener("submit", async (event) => {
		event.preventDefault();
		failed.hidden = true;
		button.disabled = true;
		try {
			form.elements.credential.value = await passkey(form);
			form.submit();
		} catch (error) {
			failed.textContent = error.message;
			failed.hidden = false;
			button.disabled = false;
			button.focus();
		}
	});
}

for (const field of document.querySelectorAll("[data-from-hash]")) {
	const code = decodeURIComponent(location.hash.slice(1));
	if (code && !field.value) {
		field.value = code;
		// The address bar, the history and who looks over a shoulder do not keep it.
		history.replaceState(null, "", location.pathname);
		document.getElementById("password").focus();
	}
}
