// SPDX-License-Identifier: Apache-2.0

package account

import "github.com/caddy-webhooks/caddy-webhooks/dashboard/account/users"

// endSession ends one of the visitor's sessions. Another's stays as it is.
func endSession(v *visit) error {
	id := v.r.PostForm.Get("id")
	if id == "" || len(id) > 100 {
		return &lost
	}
	if id == v.current.Session.ID {
		return logout(v)
	}
	record, err := v.audit(v.user, "user.sessions")
	if err != nil {
		return err
	}
	if err := v.current.EndOne(v.r.Context(), v.user.ID, id, record); err != nil {
		return err
	}
	return v.leave(pathAccount + "?done=session")
}

// endOthers ends all sessions of the visitor but this one.
func endOthers(v *visit) error {
	return v.revoked(func(*users.User) error { return nil }, "user.sessions", "sessions")
}
