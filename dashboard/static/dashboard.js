// What a script makes smoother. Every page and every action works without it.
(function () {
	"use strict";

	// Exact times are told in the reader's own zone, as are those of charts.
	const clock = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
	const exact = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long", timeStyle: "long" });
	function tellTimes(root) {
		for (const time of root.querySelectorAll("time[datetime]")) {
			const at = new Date(time.dateTime);
			if (!Number.isNaN(at.getTime())) {
				time.title = exact.format(at);
			}
		}
		for (const label of root.querySelectorAll("[data-clock]")) {
			label.textContent = clock.format(new Date(label.dataset.clock));
		}
		for (const zone of root.querySelectorAll("[data-zone]")) {
			zone.textContent = "yours";
		}
	}

	// A link with data-dialog opens its page's dialog above this page. The focus goes into the
	// dialog, stays there, and returns to the link. What the dialog's forms send leads to
	// whole pages. Where the page has no dialog, as one to confirm who it is, it is opened.
	async function openDialog(link) {
		let found = null;
		try {
			const answer = await fetch(link.href, { headers: { "HX-Request": "true" }, credentials: "same-origin", redirect: "manual" });
			if (answer.status === 200) {
				found = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("dialog.dialog");
			}
		} catch {
			found = null;
		}
		if (!found) {
			location.assign(link.href);
			return;
		}
		const dialog = document.adoptNode(found);
		dialog.removeAttribute("open");
		document.body.append(dialog);
		tellTimes(dialog);
		window.htmx?.process(dialog);
		const before = sent(dialog);
		dialog.addEventListener("close", () => {
			dialog.remove();
			link.focus();
		});
		dialog.addEventListener("cancel", (event) => {
			// Escape is Close: what was written is not lost without a question.
			if (sent(dialog) !== before) {
				event.preventDefault();
				dialog.querySelector("[name=action][value=close]")?.click();
			}
		});
		dialog.addEventListener("click", (event) => {
			const close = event.target.closest("[data-close], [name=action][value=close]");
			if (close && sent(dialog) === before) {
				event.preventDefault();
				dialog.close();
			}
		});
		dialog.showModal();
		(dialog.querySelector("[autofocus]") ?? dialog.querySelector("input:not([type=hidden]), select, textarea, button, a"))?.focus();
	}

	// What a dialog's form would send, as text.
	function sent(dialog) {
		const form = dialog.querySelector("form");
		return form ? new URLSearchParams(new FormData(form)).toString() : "";
	}

	document.addEventListener("click", (event) => {
		const target = event.target instanceof Element ? event.target : null;
		const link = target?.closest("a[data-dialog]");
		if (link && event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey) {
			event.preventDefault();
			openDialog(link);
			return;
		}
		const copy = target?.closest("[data-copy]");
		if (copy) {
			const text = document.getElementById(copy.dataset.copy)?.textContent ?? "";
			navigator.clipboard?.writeText(text).then(() => { copy.querySelector("span").textContent = "Copied"; });
		}
	});

	// What is refreshed must not take the focus away from who reads it.
	document.addEventListener("htmx:beforeSwap", (event) => {
		const target = event.detail.target;
		if (target?.id === "rows" && target.contains(document.activeElement)) {
			event.detail.shouldSwap = false;
		}
	});
	document.addEventListener("htmx:afterSettle", (event) => tellTimes(event.detail.elt));

	tellTimes(document);
})();
