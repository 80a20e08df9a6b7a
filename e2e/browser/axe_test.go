// SPDX-License-Identifier: Apache-2.0

package browser

import (
	_ "embed"
	"strings"
)

// axe finds what keeps people from using a page.
//
//go:embed testdata/axe/axe.min.js
var axe string

// violations runs axe by all rules of WCAG 2.2, levels A and AA, and those of good practice.
const violations = `axe.run(document, {resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
	.then((found) => found.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.target.join(" ") + ": " + (n.failureSummary ?? "").replace(/\s+/g, " "))))`

// axe complains of what keeps people from using the page as it is now.
func (b *tab) axe(what string) {
	b.t.Helper()
	if !must[bool](b, `typeof axe === "object"`) {
		must[bool](b, axe+"\n;true")
	}
	for _, violation := range must[[]string](b, violations) {
		b.t.Errorf("%s: axe: %s", what, violation)
	}
}

// outside finds what sticks out of the window, or is cut off at its side. What scrolls by
// itself, and what only a screen reader gets, may.
const outside = `(() => {
	const wide = document.documentElement.clientWidth, found = [];
	if (document.documentElement.scrollWidth > wide) found.push("the page scrolls sideways: " + document.documentElement.scrollWidth + " > " + wide);
	const hidden = (e) => { const s = getComputedStyle(e); return s.visibility === "hidden" || s.clipPath !== "none" || s.opacity === "0"; };
	const scrolls = (e) => { for (let p = e.parentElement; p; p = p.parentElement) { const o = getComputedStyle(p); if (hidden(p) || /auto|scroll/.test(o.overflowX) && p !== document.body) return true; } return false; };
	for (const e of document.body.querySelectorAll("*")) {
		const r = e.getBoundingClientRect();
		if (r.width === 0 || r.height === 0 || r.left >= -0.5 && r.right <= wide + 0.5 || hidden(e) || e.matches(".skip") || scrolls(e) || e.closest("svg") && e.tagName !== "svg") continue;
		found.push(e.tagName + "." + e.className + " " + Math.round(r.left) + ".." + Math.round(r.right) + ": " + e.textContent.trim().slice(0, 60));
	}
	return found.slice(0, 5);
})()`

// fits complains of what does not fit the window's width.
func (b *tab) fits(what string) {
	b.t.Helper()
	if found := must[[]string](b, outside); len(found) > 0 {
		b.t.Errorf("%s: outside of the window: %s", what, strings.Join(found, "; "))
	}
}
