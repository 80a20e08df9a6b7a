// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

const (
	// completionTime is how long a shell waits for what it completes a word with.
	completionTime = 2 * time.Second
	// maxCompletions is how many words it gets.
	maxCompletions = "1000"
)

// completes has a shell complete the one argument of a command with names that the running
// Caddy knows.
func completes(cmd *cobra.Command, names func(call, []string) ([]string, error)) {
	cmd.ValidArgsFunction = completion(names, 1)
}

// completion returns what completes the first arguments of a command. While no Caddy
// answers, there is nothing to complete with.
func completion(names func(call, []string) ([]string, error), arguments int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= arguments {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all, err := names(call{caddycmd.Flags{FlagSet: cmd.Flags()}, cmd, io.Discard, 0}, args)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var fitting []cobra.Completion
		for _, name := range all {
			if strings.HasPrefix(name, begun) {
				fitting = append(fitting, cell(name))
			}
		}
		return fitting, cobra.ShellCompDirectiveNoFileComp
	}
}

// completedFlag has a shell complete the value of a flag.
func completedFlag(cmd *cobra.Command, flag string, names func(call) ([]string, error)) {
	// It fails for a flag that there is not, which is for tests to find.
	if err := cmd.RegisterFlagCompletionFunc(flag, completion(func(c call, _ []string) ([]string, error) { return names(c) }, 1<<16)); err != nil {
		panic(err)
	}
}

// names returns one member of all items of a list, of those that are wanted.
func (c call) names(path, items, member string, wanted func(item map[string]any) bool) ([]string, error) {
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	answer, err := client.openWith(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	text, err := io.ReadAll(io.LimitReader(answer, maxAnswer))
	if err != nil {
		return nil, err
	}
	var page map[string]any
	if err := decode(bytes.NewReader(text), &page); err != nil {
		return nil, err
	}
	listed, _ := page[items].([]any)
	var names []string
	for _, item := range listed {
		of, _ := item.(map[string]any)
		if name, isText := of[member].(string); isText && name != "" && (wanted == nil || wanted(of)) {
			names = append(names, name)
		}
	}
	return names, nil
}

func endpointNames(c call) ([]string, error) {
	return c.names("/webhooks/endpoints?limit="+maxCompletions, "items", "name", nil)
}

// storedNames returns the endpoints that tenants have made.
func storedNames(c call, _ []string) ([]string, error) {
	return c.names("/webhooks/endpoints?limit="+maxCompletions, "items", "name", func(item map[string]any) bool { return item["stored"] == true })
}

func tenantNames(c call, _ []string) ([]string, error) {
	return c.names("/webhooks/tenants?limit="+maxCompletions, "items", "name", nil)
}

func typeNames(c call) ([]string, error) {
	return c.names("/webhooks/shared/types?"+url.Values{"limit": {"200"}}.Encode(), "data", "name", nil)
}
