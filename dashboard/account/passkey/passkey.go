// SPDX-License-Identifier: Apache-2.0

// Package passkey registers and checks passkeys (WebAuthn): as a second factor of a user
// who is known, or alone.
package passkey

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/users"
)

var (
	// ErrRefused is wrapped by the errors of answers that prove nothing: to another
	// challenge, of another site, with a wrong signature, or from an authenticator whose
	// count of signatures has not grown, as there may be a copy of it.
	ErrRefused = errors.New("the passkey was not accepted")
	// ErrSite is returned for a site whose address no passkey can belong to.
	ErrSite = errors.New("passkeys need a site with a name, and HTTPS or localhost")
)

// Keys registers and checks the passkeys of a process. Its memory is bounded.
type Keys struct {
	Now func() time.Time

	under ceremonies
}

// Site is what passkeys belong to: the origin of the pages, as https://example.com, and
// what users know it as.
type Site struct{ Origin, Name string }

func (s Site) webauthn() (*webauthn.WebAuthn, error) {
	origin, err := url.Parse(s.Origin)
	if err != nil || origin.Hostname() == "" {
		return nil, ErrSite
	}
	w, err := webauthn.New(&webauthn.Config{
		RPID: origin.Hostname(), RPDisplayName: s.Name, RPOrigins: []string{s.Origin}, AttestationPreference: protocol.PreferNoAttestation,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSite, err)
	}
	return w, nil
}

// Register begins to register a passkey of a user, and returns the options for the
// browser, as JSON.
func (k *Keys) Register(site Site, u *users.User) ([]byte, error) {
	w, err := site.webauthn()
	if err != nil {
		return nil, err
	}
	owner := holder{u}
	creation, data, err := w.BeginRegistration(owner,
		webauthn.WithExclusions(webauthn.Credentials(owner.WebAuthnCredentials()).CredentialDescriptors()),
		webauthn.WithAuthenticatorSelection(protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementPreferred, UserVerification: protocol.VerificationPreferred,
		}))
	if err != nil {
		return nil, fmt.Errorf("beginning to register a passkey: %w", err)
	}
	k.begin(toRegister, u.ID, data)
	return json.Marshal(creation.Response)
}

// Registered returns the passkey that a browser has made, under a name.
func (k *Keys) Registered(site Site, u *users.User, answer []byte, name string) (users.Passkey, error) {
	w, err := site.webauthn()
	if err != nil {
		return users.Passkey{}, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return users.Passkey{}, refused(err)
	}
	data, ok := k.under.take(parsed.Response.CollectedClientData.Challenge, toRegister, u.ID, k.Now())
	if !ok {
		return users.Passkey{}, refused(errNoCeremony)
	}
	made, err := w.CreateCredential(holder{u}, data, parsed)
	if err != nil {
		return users.Passkey{}, refused(err)
	}
	// Who made the authenticator is nobody's business, and as long as all else.
	made.Attestation = webauthn.CredentialAttestation{}
	credential, err := json.Marshal(made)
	if err != nil {
		return users.Passkey{}, fmt.Errorf("keeping a passkey: %w", err)
	}
	return users.Passkey{ID: made.ID, Name: name, Created: k.Now().UTC(), Credential: credential}, nil
}

// Confirm has a user who is known show a passkey, and returns the options for the browser.
func (k *Keys) Confirm(site Site, u *users.User) ([]byte, error) {
	w, err := site.webauthn()
	if err != nil {
		return nil, err
	}
	if len(u.Passkeys) == 0 {
		return nil, refused(errors.New("there is none"))
	}
	assertion, data, err := w.BeginLogin(holder{u}, webauthn.WithUserVerification(protocol.VerificationPreferred))
	if err != nil {
		return nil, fmt.Errorf("beginning to check a passkey: %w", err)
	}
	k.begin(toConfirm, u.ID, data)
	return json.Marshal(assertion.Response)
}

// Confirmed checks the passkey that a user shows, and returns it as it must be kept from
// now on.
func (k *Keys) Confirmed(site Site, u *users.User, answer []byte) (users.Passkey, error) {
	w, err := site.webauthn()
	if err != nil {
		return users.Passkey{}, err
	}
	parsed, data, err := k.answered(answer, toConfirm, u.ID)
	if err != nil {
		return users.Passkey{}, err
	}
	credential, err := w.ValidateLogin(holder{u}, data, parsed)
	if err != nil {
		return users.Passkey{}, refused(err)
	}
	return k.used(u, credential)
}

// LogIn has anybody show a passkey that says who it is, and returns the options for the
// browser. The authenticator must know its user, by a finger or a PIN: that is two factors.
func (k *Keys) LogIn(site Site) ([]byte, error) {
	w, err := site.webauthn()
	if err != nil {
		return nil, err
	}
	assertion, data, err := w.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, fmt.Errorf("beginning to check a passkey: %w", err)
	}
	k.begin(toLogIn, "", data)
	return json.Marshal(assertion.Response)
}

// LoggedIn checks the passkey of whoever logs in. Find returns the user of an id. It
// returns whose passkey it is, and the passkey as it must be kept from now on.
func (k *Keys) LoggedIn(site Site, answer []byte, find func(id string) (users.User, error)) (users.User, users.Passkey, error) {
	w, err := site.webauthn()
	if err != nil {
		return users.User{}, users.Passkey{}, err
	}
	parsed, data, err := k.answered(answer, toLogIn, "")
	if err != nil {
		return users.User{}, users.Passkey{}, err
	}
	var u users.User
	_, credential, err := w.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
		var err error
		u, err = find(string(handle))
		return holder{&u}, err
	}, data, parsed)
	if err != nil {
		return users.User{}, users.Passkey{}, refused(err)
	}
	shown, err := k.used(&u, credential)
	return u, shown, err
}

var errNoCeremony = errors.New("nobody has asked for it, or that was too long ago")

func refused(err error) error { return fmt.Errorf("%w: %w", ErrRefused, err) }

func (k *Keys) begin(wanted purpose, user string, data *webauthn.SessionData) {
	k.under.put(ceremony{wanted, user, *data, k.Now().Add(ceremonyFor)}, k.Now())
}

// answered reads an answer to a challenge of a purpose.
func (k *Keys) answered(answer []byte, wanted purpose, user string) (*protocol.ParsedCredentialAssertionData, webauthn.SessionData, error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return nil, webauthn.SessionData{}, refused(err)
	}
	data, ok := k.under.take(parsed.Response.CollectedClientData.Challenge, wanted, user, k.Now())
	if !ok {
		return nil, webauthn.SessionData{}, refused(errNoCeremony)
	}
	return parsed, data, nil
}

// used returns a passkey that was shown, with its count of signatures.
func (k *Keys) used(u *users.User, credential *webauthn.Credential) (users.Passkey, error) {
	if credential.Authenticator.CloneWarning {
		return users.Passkey{}, refused(errors.New("its count of signatures has not grown: there may be a copy of it"))
	}
	shown := u.Passkey(credential.ID)
	if shown == nil {
		return users.Passkey{}, refused(errors.New("it is not the user's"))
	}
	kept, err := json.Marshal(credential)
	if err != nil {
		return users.Passkey{}, fmt.Errorf("keeping a passkey: %w", err)
	}
	p := *shown
	p.Credential, p.Used = kept, k.Now().UTC()
	return p, nil
}

// holder is a user as the library knows one.
type holder struct{ *users.User }

func (h holder) WebAuthnID() []byte          { return []byte(h.ID) }
func (h holder) WebAuthnName() string        { return h.Name }
func (h holder) WebAuthnDisplayName() string { return h.Name }

func (h holder) WebAuthnCredentials() []webauthn.Credential {
	var all []webauthn.Credential
	for _, p := range h.Passkeys {
		var credential webauthn.Credential
		if err := json.Unmarshal(p.Credential, &credential); err == nil {
			all = append(all, credential)
		}
	}
	return all
}
