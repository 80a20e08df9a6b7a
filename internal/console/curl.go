// SPDX-License-Identifier: Apache-2.0

package console

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// Request is a request that a line of curl makes.
type Request struct {
	Method, URL, Body string
	Headers           [][2]string
	// Head is true if the answer is shown with its status and headers.
	Head bool
}

// Curl reads the few options of curl that pages use.
func Curl(words []string) (Request, error) {
	var r Request
	for i := 1; i < len(words); i++ {
		word := words[i]
		if !strings.HasPrefix(word, "-") {
			if r.URL != "" {
				return r, fmt.Errorf("two URLs: %s and %s", r.URL, word)
			}
			r.URL = word
			continue
		}
		if word == "-i" || word == "-N" {
			r.Head = r.Head || word == "-i"
			continue
		}
		if i++; i == len(words) {
			return r, fmt.Errorf("%s has no value", word)
		}
		switch word {
		case "-X":
			r.Method = words[i]
		case "-H":
			name, value, found := strings.Cut(words[i], ": ")
			if !found {
				return r, fmt.Errorf("%q is no header", words[i])
			}
			r.Headers = append(r.Headers, [2]string{name, value})
		case "-u":
			r.Headers = append(r.Headers, [2]string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(words[i]))})
		case "-d":
			r.Body = words[i]
			r.Headers = slices.Insert(r.Headers, 0, [2]string{"Content-Type", "application/x-www-form-urlencoded"})
		case "--json":
			r.Body = words[i]
			r.Headers = slices.Insert(r.Headers, 0, [2]string{"Content-Type", "application/json"}, [2]string{"Accept", "application/json"})
		default:
			return r, fmt.Errorf("%s is no option that pages use", word)
		}
	}
	switch {
	case r.URL == "":
		return r, fmt.Errorf("no URL")
	case r.Method == "" && r.Body != "":
		r.Method = "POST"
	case r.Method == "":
		r.Method = "GET"
	}
	return r, nil
}
