// SPDX-License-Identifier: Apache-2.0

package legacyapi

import (
	"net/http"
	"regexp"
	"strings"
)

// States of a bank account.
const (
	accountActive      = "active"
	accountDeactivated = "deactivated"
	accountInvalid     = "invalid"
)

// bankAccount is the source or destination of a user's money. It cannot be
// changed, only deactivated, and then it can still be read.
type bankAccount struct {
	record
	User     reference `json:"user"`
	BankName string    `json:"bank_name"`
	// Number is masked except for its last three digits.
	Number  string `json:"account_number"`
	State   string `json:"state"`
	Enabled bool   `json:"enabled"`
}

// bankAccountInput is a bank account in the form that clients send.
type bankAccountInput struct {
	ID       string    `json:"id"`
	User     reference `json:"user"`
	BankName string    `json:"bank_name"`
	Number   string    `json:"account_number"`
}

var accountNumber = regexp.MustCompile(`^[0-9]{4,20}$`)

func (in bankAccountInput) check() error {
	switch {
	case in.User.ID == "":
		return invalid("user.id", "must not be empty")
	case strings.TrimSpace(in.BankName) == "":
		return invalid("bank_name", "must not be empty")
	case !accountNumber.MatchString(in.Number):
		return invalid("account_number", "must have 4 to 20 digits")
	}
	return nil
}

func (a *api) listBankAccounts(r *http.Request, _ []byte) (reply, error) {
	return a.bankAccounts.list("bank_accounts", r, nil)
}

func (a *api) showBankAccount(r *http.Request, _ []byte) (reply, error) {
	account, err := a.bankAccounts.get(r.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	return show("bank_accounts", account)
}

func (a *api) createBankAccount(_ *http.Request, body []byte) (reply, error) {
	var input bankAccountInput
	if err := decode("bank_accounts", body, &input); err != nil {
		return reply{}, err
	}
	if err := input.check(); err != nil {
		return reply{}, err
	}
	id, err := claimID(a.bankAccounts, input.ID, a.newID)
	if err != nil {
		return reply{}, err
	}
	masked := len(input.Number) - 3
	account := bankAccount{
		record:   newRecord(id, a.now()),
		User:     input.User,
		BankName: input.BankName,
		Number:   strings.Repeat("X", masked) + input.Number[masked:],
		State:    accountActive,
		Enabled:  true,
	}
	a.bankAccounts.put(id, account)
	return created("bank_accounts", id, account)
}

// deactivateBankAccount serves DELETE: a soft delete, which keeps the object.
func (a *api) deactivateBankAccount(r *http.Request, _ []byte) (reply, error) {
	account, err := a.bankAccounts.get(r.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	if account.Enabled {
		account.State = accountDeactivated
		account.Enabled = false
		account.touch(a.now())
		a.bankAccounts.put(account.ID, account)
	}
	return show("bank_accounts", account)
}
