// SPDX-License-Identifier: Apache-2.0

package legacyapi

import (
	"net/http"
	"net/mail"
	"slices"
)

// kycStates are the states of the check of a user's identity.
var kycStates = []string{"pending", "approved", "held"}

// user is a buyer or a seller.
type user struct {
	record
	userFields
}

// userFields are the fields that clients may set.
type userFields struct {
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Email     string `json:"email"`
	KYCState  string `json:"kyc_state"`
}

// userInput is a user in the form that clients send.
type userInput struct {
	userFields
	ID string `json:"id"`
}

func (f userFields) check() error {
	if address, err := mail.ParseAddress(f.Email); err != nil || address.Address != f.Email {
		return invalid("email", "must be an e-mail address")
	}
	if !slices.Contains(kycStates, f.KYCState) {
		return invalid("kyc_state", "must be one of %q", kycStates)
	}
	return nil
}

func (a *api) listUsers(r *http.Request, _ []byte) (reply, error) {
	return a.users.list("users", r, nil)
}

func (a *api) showUser(r *http.Request, _ []byte) (reply, error) {
	found, err := a.users.get(r.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	return show("users", found)
}

func (a *api) createUser(_ *http.Request, body []byte) (reply, error) {
	input := userInput{userFields: userFields{KYCState: kycStates[0]}}
	if err := decode("users", body, &input); err != nil {
		return reply{}, err
	}
	if err := input.check(); err != nil {
		return reply{}, err
	}
	id, err := claimID(a.users, input.ID, a.newID)
	if err != nil {
		return reply{}, err
	}
	added := user{record: newRecord(id, a.now()), userFields: input.userFields}
	a.users.put(id, added)
	return created("users", id, added)
}

// updateUser serves PATCH, which keeps fields that the body does not name, and
// PUT, which replaces all fields that a client may set.
func (a *api) updateUser(r *http.Request, body []byte) (reply, error) {
	found, err := a.users.get(r.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	input := userInput{ID: found.ID, userFields: found.userFields}
	if r.Method == http.MethodPut {
		input.userFields = userFields{KYCState: kycStates[0]}
	}
	if err := decode("users", body, &input); err != nil {
		return reply{}, err
	}
	if err := input.check(); err != nil {
		return reply{}, err
	}
	if input.ID != found.ID {
		return reply{}, invalid("id", "cannot be changed")
	}
	if input.userFields != found.userFields {
		found.userFields = input.userFields
		found.touch(a.now())
		a.users.put(found.ID, found)
	}
	return show("users", found)
}

func (a *api) deleteUser(r *http.Request, _ []byte) (reply, error) {
	found, err := a.users.get(r.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	a.users.remove(found.ID)
	return reply{status: http.StatusNoContent}, nil
}
