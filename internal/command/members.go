// SPDX-License-Identifier: Apache-2.0

package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// textMembers are the members of an endpoint that are text, each with its flag and what its
// help says. The tenants' API says which values are possible.
var textMembers = []struct{ name, help string }{
	{"label", "what it is called, for people"},
	{"url", "where events are posted to"},
	{"filter", "which events it gets of these types, as \"object.amount > 100\""},
	{"signature", "how deliveries are signed: standard, rfc9421, x-signature or none"},
	{"order", "what waits for each other: object, endpoint or none"},
	{"rate", "how many deliveries may begin, as 10/s"},
}

// maxMembers limits what is read of a file, in bytes: the API takes no more.
const maxMembers = 64 << 10

// addMemberFlags adds the flags that say what an endpoint is.
func addMemberFlags(cmd *cobra.Command) {
	for _, of := range textMembers {
		cmd.Flags().String(of.name, "", of.help)
	}
	cmd.Flags().StringSlice("events", nil, "types of events that it gets, as items.*,orders.paid")
	cmd.Flags().String("payload", "", "the format of its payloads, as standard")
	cmd.Flags().StringArray("header", nil, "a header of its deliveries, as \"X-Env: test\"; may be repeated")
	cmd.Flags().StringArray("metadata", nil, "what its owner notes, as team=erp; may be repeated")
	cmd.Flags().String("auth", "", "how deliveries authenticate: bearer, basic, header or none")
	cmd.Flags().String("auth-name", "", "the user of basic, or the header")
	cmd.Flags().String("credential-file", "", "file with the token, the password or the header's value; - is standard input")
	cmd.Flags().String("secret-file", "", "file with the secret that signs, where subscribers may have their own; - is standard input")
	cmd.Flags().String("from", "", "file with members as JSON, for what no flag says; - is standard input")
}

// members returns the members of an endpoint that the flags say.
func (c call) members() (map[string]any, error) {
	members, err := c.membersFrom()
	if err != nil {
		return nil, err
	}
	for _, of := range textMembers {
		if value := c.String(of.name); value != "" {
			members[of.name] = value
		}
	}
	if c.cmd.Flags().Changed("events") {
		members["events"], _ = c.cmd.Flags().GetStringSlice("events")
	}
	if format := c.String("payload"); format != "" {
		members["payload"] = map[string]any{"format": format}
	}
	for _, pairs := range []struct{ flag, member, between string }{{"header", "headers", ":"}, {"metadata", "metadata", "="}} {
		if err := c.pairs(members, pairs.flag, pairs.member, pairs.between); err != nil {
			return nil, err
		}
	}
	if err := c.auth(members); err != nil {
		return nil, err
	}
	if file := c.String("secret-file"); file != "" {
		if members["secret"], err = c.secretFrom("secret-file", file); err != nil {
			return nil, err
		}
	}
	return members, nil
}

// membersFrom returns the members of the file that --from names, none without it.
func (c call) membersFrom() (map[string]any, error) {
	members := map[string]any{}
	file := c.String("from")
	if err := c.oneReadsInput(); err != nil || file == "" {
		return members, err
	}
	text, err := c.readFile("from", file)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return nil, fmt.Errorf("--from %s: it is no JSON object, as {\"label\": \"ERP\"}", file)
	}
	return members, nil
}

// oneReadsInput refuses several files that are standard input.
func (c call) oneReadsInput() error {
	var reads []string
	for _, flag := range []string{"from", "credential-file", "secret-file"} {
		if c.String(flag) == "-" {
			reads = append(reads, "--"+flag)
		}
	}
	if len(reads) > 1 {
		return fmt.Errorf("%s both read standard input; name a file for one of them", strings.Join(reads, " and "))
	}
	return nil
}

// pairs fills a member with the names and values of a flag that is repeated.
func (c call) pairs(members map[string]any, flag, member, between string) error {
	given, _ := c.cmd.Flags().GetStringArray(flag)
	if len(given) == 0 {
		return nil
	}
	pairs, _ := members[member].(map[string]any)
	if pairs == nil {
		pairs = map[string]any{}
	}
	for _, pair := range given {
		name, value, is := strings.Cut(pair, between)
		if name = strings.TrimSpace(name); !is || name == "" {
			// The value may be a secret, and stays out of the error.
			return fmt.Errorf("--%s is a name and a value with %q between them", flag, between)
		}
		pairs[name] = strings.TrimSpace(value)
	}
	members[member] = pairs
	return nil
}

// auth fills in how deliveries authenticate. The credential is in a file: arguments stay in
// the shell's history, and all users of a machine see them.
func (c call) auth(members map[string]any) error {
	scheme, name, file := c.String("auth"), c.String("auth-name"), c.String("credential-file")
	switch {
	case scheme == "" && name == "" && file == "":
		return nil
	case scheme == "":
		return errors.New("--auth is missing: it says what the credential is, as bearer")
	case scheme == "none" && (name != "" || file != ""):
		return errors.New("--auth none has neither a name nor a credential")
	case scheme == "none":
		members["auth"] = nil
		return nil
	case file == "":
		return errors.New("--credential-file is missing: a file with the credential, or - for standard input")
	}
	credential, err := c.secretFrom("credential-file", file)
	if err != nil {
		return err
	}
	auth := map[string]any{"scheme": scheme, "credential": credential}
	if name != "" {
		auth["name"] = name
	}
	members["auth"] = auth
	return nil
}

// secretFrom returns the one line of a file.
func (c call) secretFrom(flag, file string) (string, error) {
	text, err := c.readFile(flag, file)
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" || strings.ContainsAny(secret, "\r\n") {
		return "", fmt.Errorf("--%s %s: it has not one line, which would be the secret", flag, file)
	}
	return secret, nil
}

// readFile reads a file that a flag names, or standard input.
func (c call) readFile(flag, file string) ([]byte, error) {
	from := c.cmd.InOrStdin()
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", flag, err)
		}
		defer func() { _ = opened.Close() }()
		from = opened
	}
	text, err := io.ReadAll(io.LimitReader(from, maxMembers+1))
	if err == nil && len(text) > maxMembers {
		err = fmt.Errorf("it has more than %d bytes", maxMembers)
	}
	if err != nil {
		return nil, fmt.Errorf("--%s %s: %w", flag, file, err)
	}
	return text, nil
}

// unset sets the members to null that --unset names.
func (c call) unset(members map[string]any) error {
	names, _ := c.cmd.Flags().GetStringSlice("unset")
	for _, name := range names {
		if value, said := members[name]; said && value != nil {
			return fmt.Errorf("%s is both set and unset; leave one out", name)
		}
		members[name] = nil
	}
	if slices.Contains(names, "") {
		return errors.New("--unset names a member, as filter")
	}
	return nil
}
