// SPDX-License-Identifier: Apache-2.0

package account

import (
	"net/http"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/factor"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/users"
)

// codesPage is the page that shows new recovery codes, until their user says that they are
// kept.
type codesPage struct {
	Back  string
	Codes []string
}

func showCodes(v *visit) error {
	return v.bare(http.StatusOK, "codes", "Recovery codes", codesPage{v.back(), v.current.Session.Codes})
}

// postCodes gives the codes as a file, or forgets them when they are kept.
func postCodes(v *visit) error {
	if v.r.PostForm.Get("as") == "text" {
		v.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		v.w.Header().Set("Content-Disposition", `attachment; filename="webhooks-recovery-codes.txt"`)
		_, err := v.w.Write([]byte(strings.Join(v.current.Session.Codes, "\n") + "\n"))
		return err
	}
	if v.r.PostForm.Get("kept") == "" {
		return showCodes(v)
	}
	v.current.Session.Codes = nil
	if err := v.current.Save(); err != nil {
		return err
	}
	return v.goOn()
}

// newCodes makes new recovery codes in place of all that are left.
func newCodes(v *visit) error {
	var codes []string
	_, err := v.book.Change(v.r.Context(), v.user.ID, func(u *users.User) error {
		codes, u.Recovery = factor.NewRecoveryCodes(u.ID)
		return nil
	}, v.noting("user.codes"))
	if err != nil {
		return err
	}
	v.current.Session.Codes = codes
	if err := v.current.Save(); err != nil {
		return err
	}
	return v.leave(withBack(pathCodes, pathAccount))
}
