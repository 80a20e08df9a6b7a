// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"errors"
	"fmt"
	"strings"
)

// maxFile limits the files that a configuration names, in bytes: certificates and
// keys are far smaller.
const maxFile = 1 << 20

// fill replaces the placeholders of a text that may be secret. Its errors show the
// placeholder, and nothing of the text around it.
func fill(repl *filler, what, text string) (string, error) {
	plain, err := repl.ReplaceOrErr(text)
	var missing fileError
	switch {
	case err == nil:
		return plain, nil
	case errors.As(err, &missing):
		return "", fmt.Errorf("%s: %w; put what is meant into the file", what, err)
	case strings.HasPrefix(text, "{") && strings.IndexByte(text, '}') == len(text)-1:
		return "", fmt.Errorf("%s: %w; set what the placeholder stands for", what, err)
	default:
		return "", fmt.Errorf(`%s: a placeholder in it stands for nothing; set what it stands for, or write a brace that is meant as one as \{`, what)
	}
}

// fillAll is fill for several texts.
func fillAll(repl *filler, what string, texts []string) ([]string, error) {
	plain := make([]string, len(texts))
	for i, text := range texts {
		var err error
		if plain[i], err = fill(repl, what, text); err != nil {
			return nil, err
		}
	}
	return plain, nil
}

// pemText returns a text in PEM form, or the content of the file that the text
// names.
func pemText(repl *filler, what, text string) ([]byte, error) {
	plain, err := fill(repl, what, text)
	if err != nil {
		return nil, err
	}
	if strings.Contains(plain, "-----BEGIN") {
		return []byte(plain), nil
	}
	if strings.ContainsAny(plain, "\r\n") || len(plain) > 4096 {
		return nil, fmt.Errorf("%s: it is neither PEM nor the name of a file", what)
	}
	content, err := repl.read(plain)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return content, nil
}
