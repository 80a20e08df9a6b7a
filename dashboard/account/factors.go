// SPDX-License-Identifier: Apache-2.0

package account

import (
	"encoding/hex"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/users"
)

// removable reports whether a user has more than one second factor: the last one stays.
func removable(u *users.User) bool {
	n := len(u.Passkeys)
	if u.App != nil {
		n++
	}
	return n > 1
}

// deleteApp removes the authenticator app.
func deleteApp(v *visit) error {
	return v.removed("app", func(u *users.User) { u.App = nil })
}

// deletePasskey removes a passkey.
func deletePasskey(v *visit) error {
	id, err := hex.DecodeString(v.r.PostForm.Get("id"))
	if err != nil || v.user.Passkey(id) == nil {
		return &lost
	}
	return v.removed("passkey", func(u *users.User) {
		u.Passkeys = slices.DeleteFunc(u.Passkeys, func(p users.Passkey) bool { return slices.Equal(p.ID, id) })
	})
}

// removed removes a second factor that is not the only one.
func (v *visit) removed(what string, remove func(u *users.User)) error {
	_, err := v.book.Change(v.r.Context(), v.user.ID, func(u *users.User) error {
		if remove(u); !u.Enrolled() {
			return &lastFactor
		}
		return nil
	}, v.noting("user.unenrol", what))
	if err != nil {
		return err
	}
	return v.leave(pathAccount + "?done=" + what)
}

func hexOf(id []byte) string { return hex.EncodeToString(id) }
