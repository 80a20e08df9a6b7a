// SPDX-License-Identifier: Apache-2.0

package factor

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func code(t *testing.T, a App, at time.Time) string {
	t.Helper()
	text, err := totp.GenerateCode(a.Secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The vectors of RFC 6238 for SHA-1, whose last six digits are ours.
func TestVectors(t *testing.T) {
	for seconds, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037"} {
		a := App{Secret: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}
		if !a.Use(want, time.Unix(seconds, 0)) {
			t.Errorf("%s at %d is wrong", want, seconds)
		}
	}
}

func TestUse(t *testing.T) {
	fresh, err := NewApp()
	if err != nil || len(fresh.Secret) < 32 {
		t.Fatalf("%d characters, %v", len(fresh.Secret), err)
	}
	for _, test := range []struct {
		name string
		code string
		ok   bool
	}{
		{"of now", code(t, fresh, epoch), true},
		{"of the period before", code(t, fresh, epoch.Add(-period*time.Second)), true},
		{"of the period after", code(t, fresh, epoch.Add(period*time.Second)), true},
		{"of two periods before", code(t, fresh, epoch.Add(-2*period*time.Second)), false},
		{"of two periods after", code(t, fresh, epoch.Add(2*period*time.Second)), false},
		{"with a space", code(t, fresh, epoch)[:3] + " " + code(t, fresh, epoch)[3:], true},
		{"empty", "", false},
		{"too short", code(t, fresh, epoch)[:5], false},
		{"no digits", "abcdef", false},
		{"far too long", strings.Repeat("1", 1000), false},
	} {
		a := fresh
		if a.Use(test.code, epoch) != test.ok {
			t.Errorf("a code %s: %t", test.name, !test.ok)
		}
		if !test.ok && a != fresh {
			t.Errorf("a code %s is used up", test.name)
		}
	}
	if (&App{}).Use("000000", epoch) {
		t.Error("an app without a secret has codes")
	}
}

// A code works once, and none works that is older than one that was used.
func TestCodesWorkOnce(t *testing.T) {
	a, err := NewApp()
	if err != nil {
		t.Fatal(err)
	}
	first, second := code(t, a, epoch), code(t, a, epoch.Add(period*time.Second))
	if !a.Use(second, epoch) || a.Use(second, epoch) || a.Use(first, epoch) {
		t.Error("a code works twice, or an older one after it")
	}
	if later := epoch.Add(2 * period * time.Second); !a.Use(code(t, a, later), later) {
		t.Error("no later code works")
	}
}

// Whatever is tried in whatever order, no period's code is taken twice, and none before
// one that was taken.
func TestCodesModel(t *testing.T) {
	fresh, err := NewApp()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		a, now, last := fresh, epoch, int64(-1)
		for range rapid.IntRange(1, 12).Draw(t, "tries") {
			now = now.Add(time.Duration(rapid.IntRange(0, 70).Draw(t, "later")) * time.Second)
			at := now.Unix()/period + rapid.Int64Range(-3, 3).Draw(t, "of")
			text, err := totp.GenerateCode(fresh.Secret, time.Unix(at*period, 0))
			if err != nil {
				t.Fatal(err)
			}
			near := at >= now.Unix()/period-skew && at <= now.Unix()/period+skew
			want := near && at > last
			if got := a.Use(text, now); got != want {
				t.Fatalf("the code of period %d at %d, after %d: %t", at, now.Unix()/period, last, got)
			}
			if want {
				last = at
			}
		}
	})
}

func TestGrouped(t *testing.T) {
	if got := (&App{Secret: "JBSWY3DPEHPK3PXP7K"}).Grouped(); got != "JBSW Y3DP EHPK 3PXP 7K" {
		t.Errorf("got %q", got)
	}
}

// The image is well-formed, draws nothing but the code, and what it says is what apps read.
func TestQR(t *testing.T) {
	a := App{Secret: "JBSWY3DPEHPK3PXP7KQV2N4T"}
	svg, err := a.QR(`Bicycles & "Co"`, "mara.kessler")
	if err != nil {
		t.Fatal(err)
	}
	decoder := xml.NewDecoder(bytes.NewReader(svg))
	var elements []string
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok {
			elements = append(elements, start.Name.Local)
		}
	}
	if !slices.Equal(elements, []string{"svg", "rect", "path"}) || !bytes.Contains(svg, []byte(`d="M0 0h7v1h-7z`)) {
		t.Errorf("it has %v", elements)
	}
	if got := a.uri(`Bicycles & "Co"`, "mara.kessler"); got != `otpauth://totp/Bicycles%20&%20%22Co%22:mara.kessler?secret=JBSWY3DPEHPK3PXP7KQV2N4T&issuer=Bicycles%20&%20%22Co%22` {
		t.Errorf("got %s", got)
	}
	if _, err := (&App{}).QR("x", "y"); err == nil {
		t.Error("an app without a secret has a code")
	}
}

func TestRecoveryCodes(t *testing.T) {
	codes, hashes := NewRecoveryCodes("usr_1")
	if len(codes) != RecoveryCodes || len(hashes) != RecoveryCodes || len(slices.Compact(slices.Sorted(slices.Values(codes)))) != RecoveryCodes {
		t.Fatalf("%d codes, %d hashes", len(codes), len(hashes))
	}
	for i, code := range codes {
		if strings.Contains(strings.Join(hashes, " "), code) || len(code) != recoveryLength+1 {
			t.Errorf("code %d: %q", i, code)
		}
	}
	if _, ok := UseRecoveryCode("usr_2", hashes, codes[0]); ok {
		t.Error("another's code works")
	}
	if _, ok := UseRecoveryCode("usr_1", hashes, ""); ok {
		t.Error("nothing is a code")
	}
	for i, code := range codes {
		if i%2 == 0 {
			code = " " + strings.ReplaceAll(strings.ToUpper(code), "-", " ")
		}
		left, ok := UseRecoveryCode("usr_1", hashes, code)
		if !ok || len(left) != len(hashes)-1 {
			t.Fatalf("code %d does not work, or %d are left", i, len(left))
		}
		if _, again := UseRecoveryCode("usr_1", left, code); again {
			t.Errorf("code %d works twice", i)
		}
		hashes = left
	}
	_, hashes = NewRecoveryCodes("usr_1")
	hashes[3] = recoveryHash("usr_1", "01o1l-i0oab")
	if _, ok := UseRecoveryCode("usr_1", hashes, "oiOil10OAB"); !ok {
		t.Error("what is misread does not work")
	}
}
