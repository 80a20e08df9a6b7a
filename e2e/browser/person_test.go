// SPDX-License-Identifier: Apache-2.0

package browser

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// person uses a tab, with a mouse or with the keyboard alone.
type person struct {
	*tab
	keyboard bool
}

// press presses a button, or follows a link.
func (p *person) press(role, name string) {
	p.t.Helper()
	e := p.find(role, name)
	p.loaded()
	if p.keyboard {
		p.reach(e)
		p.key(keyEnter)
		return
	}
	p.click(e)
}

// write replaces what stands in a field.
func (p *person) write(name, text string) {
	p.t.Helper()
	p.writeInto(p.find("textbox", name), text)
}

// search writes into a field to search by.
func (p *person) search(name, text string) {
	p.t.Helper()
	p.writeInto(p.find("searchbox", name), text)
}

func (p *person) writeInto(e element, text string) {
	p.t.Helper()
	if p.keyboard {
		p.reach(e)
	} else {
		p.click(e)
	}
	do(p.tab, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: "keyDown", Key: "a", Code: "KeyA", WindowsVirtualKeyCode: 65, Modifiers: 2, Commands: []string{"selectAll"}})
	do(p.tab, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: "keyUp", Key: "a", Code: "KeyA", WindowsVirtualKeyCode: 65, Modifiers: 2})
	do(p.tab, input.InsertText, input.InsertTextParams{Text: text})
	p.key(keyEnd) // a key that scripts hear, too
	if got := of[string](p.t, e, `function() { return this.value }`); got != text {
		p.t.Fatalf("%s is %q after writing %q", e.what, got, text)
	}
}

// choose chooses one of several, or ticks what is not ticked.
func (p *person) choose(role, name string) {
	p.t.Helper()
	e := p.find(role, name)
	switch {
	case !p.keyboard:
		p.click(e)
	case role == "radio":
		p.radio(e)
	default:
		p.reach(e)
		p.key(' ')
	}
	if !of[bool](p.t, e, `function() { return this.checked }`) {
		p.t.Fatalf("%s is not chosen", e.what)
	}
}

// pick picks an option of a list that opens. Its window is the system's, so the mouse opens
// nothing here: the keyboard is for all.
func (p *person) pick(name, option string) {
	p.t.Helper()
	e := p.find("combobox", name)
	if p.keyboard {
		p.reach(e)
	} else {
		of[bool](p.t, e, `function() { this.focus(); return true }`)
	}
	p.key(keyHome)
	for range 50 {
		if of[string](p.t, e, `function() { return this.selectedOptions[0].text }`) == option {
			return
		}
		p.key(keyDown)
	}
	p.t.Fatalf("%s has no option %q", e.what, option)
}

// click clicks where somebody sees an element: what lies over it would get the click.
func (p *person) click(e element) {
	p.t.Helper()
	var at struct {
		X, Y  float64
		Hit   bool
		Found string
	}
	eventually(p.t, "clicking "+e.what, func() (err error) {
		if at, err = call[struct {
			X, Y  float64
			Hit   bool
			Found string
		}](e, place); err == nil && !at.Hit {
			err = fmt.Errorf("at %v, %v lies %s", at.X, at.Y, at.Found)
		}
		return err
	})
	p.run(chromedp.MouseClickXY(at.X, at.Y))
}

// place returns where an element can be clicked. A box to tick that is not seen itself is
// clicked at its label.
const place = `function() {
	let e = this;
	const seen = (x) => { const r = x.getBoundingClientRect(), s = getComputedStyle(x); return r.width > 4 && r.height > 4 && s.opacity !== "0" && s.clipPath === "none"; };
	if (!seen(e) && e.labels?.length) e = e.labels[0];
	e.scrollIntoView({block: "center", inline: "nearest", behavior: "instant"});
	const r = e.getClientRects()[0] ?? e.getBoundingClientRect(), X = r.left + r.width / 2, Y = r.top + r.height / 2;
	const at = document.elementFromPoint(X, Y);
	return {X, Y, Hit: !!at && (e === at || e.contains(at)), Found: at ? at.outerHTML.slice(0, 80) : "nothing"};
}`

// key presses a key. Key and character are one event, as a keyboard's are: a character by
// itself would go to what the key has led to.
func (p *person) key(key rune, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	var text string
	events := kb.Encode(key)
	for _, event := range events {
		text += event.Text
	}
	for _, event := range events {
		if event.Type == kb.KeyChar {
			continue
		}
		if event.Type == kb.KeyDown {
			event.Text, event.UnmodifiedText = text, text
		}
		for _, modifier := range modifiers {
			event.Modifiers |= int64(modifier)
		}
		do(p.tab, input.DispatchKeyEvent, *event)
	}
}

func (p *person) run(action chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, action); err != nil {
		p.t.Fatal(err)
	}
}

// The keys that people press.
var (
	keyTab, keyEnter, keyEscape = []rune(kb.Tab)[0], []rune(kb.Enter)[0], []rune(kb.Escape)[0]
	keyHome, keyEnd             = []rune(kb.Home)[0], []rune(kb.End)[0]
	keyDown                     = []rune(kb.ArrowDown)[0]
)

// mostTabs is how often Tab is pressed before what is wanted counts as out of reach.
const mostTabs = 150

// reach presses Tab until an element has the focus, which must be seen wherever it goes.
func (p *person) reach(e element) {
	p.t.Helper()
	for range mostTabs {
		if p.focused(e) {
			return
		}
		p.key(keyTab)
		p.focusSeen()
	}
	p.t.Fatalf("%s cannot be reached with Tab", e.what)
}

// radio reaches the group of a radio button, and goes to it with the arrows.
func (p *person) radio(e element) {
	p.t.Helper()
	group := func() bool {
		return of[bool](p.t, e, `function() { const a = document.activeElement; return a.type === "radio" && a.name === this.name && a.form === this.form }`)
	}
	for range mostTabs {
		if group() {
			break
		}
		p.key(keyTab)
		p.focusSeen()
	}
	for range 20 {
		if p.focused(e) {
			if !of[bool](p.t, e, `function() { return this.checked }`) {
				p.key(' ')
			}
			return
		}
		p.key(keyDown)
	}
	p.t.Fatalf("%s cannot be reached with the arrows", e.what)
}

// focused reports whether an element has the focus.
func (p *person) focused(e element) bool {
	p.t.Helper()
	return of[bool](p.t, e, `function() { return document.activeElement === this }`)
}

// focusing says what is wrong with how the focus is shown, "" if nothing is.
const focusing = `(() => {
	const e = document.activeElement;
	if (!e || e === document.body || e === document.documentElement) return "";
	const r = e.getBoundingClientRect(), what = e.outerHTML.slice(0, 120);
	const ring = (x) => { const s = getComputedStyle(x); return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 1 || x.matches(".skip"); };
	const bearers = [e, ...(e.labels ?? []), e.parentElement, e.parentElement?.parentElement].filter(Boolean);
	if (!bearers.some(ring)) return "the focus is not seen at " + what;
	const shown = e.labels?.length && r.width < 5 ? e.labels[0].getBoundingClientRect() : r;
	if (shown.bottom <= 0 || shown.top >= innerHeight) return "the focus is outside of the window at " + what;
	const within = (at) => !!at && (e === at || e.contains(at) || [...(e.labels ?? [])].some((l) => l.contains(at)));
	const points = [0.1, 0.5, 0.9].map((part) => [shown.left + shown.width / 2, shown.top + shown.height * part]);
	points.push([shown.left + 3, shown.top + shown.height / 2]);
	if (!points.some(([x, y]) => within(document.elementFromPoint(x, y)))) return "something lies over the focus at " + what;
	return "";
})()`

// focusSeen complains if the focus is somewhere where nobody sees it.
func (p *person) focusSeen() {
	p.t.Helper()
	if text, err := evaluate[string](p.tab, focusing); err == nil && text != "" {
		p.t.Errorf("%s: %s", must[string](p.tab, "location.pathname"), text)
	}
}

// within waits until the focus is within what a selector finds.
func (p *person) within(selector string) {
	p.t.Helper()
	quoted, err := json.Marshal(selector)
	if err != nil {
		p.t.Fatal(err)
	}
	eventually(p.t, "the focus is within "+selector, func() error {
		there, err := evaluate[bool](p.tab, `!!document.activeElement?.closest(`+string(quoted)+`)`)
		if err == nil && !there {
			at, _ := evaluate[string](p.tab, `document.activeElement?.outerHTML.slice(0, 120) ?? "nowhere"`)
			err = errors.New("it is at " + at)
		}
		return err
	})
}
