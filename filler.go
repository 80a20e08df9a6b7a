// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/internal/regularfile"
)

// filePlaceholder is what placeholders begin with that stand for the content of a
// file.
const filePlaceholder = "file."

// filler replaces the placeholders of a configuration, as Caddy does, and notes
// which files it has read. Caddy takes a file that cannot be read for an empty one;
// a filler says which file it was, and why.
type filler struct {
	repl  *caddy.Replacer
	files *files
	// failed is why a file of the text at hand could not be read.
	failed error
}

// newFiller returns a filler that notes the files it reads in files, unless it is nil.
func newFiller(files *files) *filler {
	f := &filler{repl: caddy.NewEmptyReplacer(), files: files}
	others := caddy.NewReplacer()
	f.repl.Map(func(key string) (any, bool) {
		name, is := strings.CutPrefix(key, filePlaceholder)
		if !is {
			return others.Get(key)
		}
		content, err := f.read(name)
		if err != nil {
			f.failed = errors.Join(f.failed, fileError{err})
			return nil, true
		}
		content = bytes.TrimSuffix(content, []byte("\n"))
		return string(bytes.TrimSuffix(content, []byte("\r"))), true
	})
	return f
}

// fileError is an error about a file. It shows the file's name, and nothing of what
// is in it.
type fileError struct{ error }

func (e fileError) Unwrap() error { return e.error }

// ReplaceOrErr returns a text with what its placeholders stand for. It fails if one
// stands for nothing.
func (f *filler) ReplaceOrErr(text string) (string, error) {
	f.failed = nil
	plain, err := f.repl.ReplaceOrErr(text, true, true)
	if f.failed != nil {
		return "", f.failed
	}
	return plain, err
}

// ReplaceKnown returns a text with what those of its placeholders stand for that are
// known.
func (f *filler) ReplaceKnown(text string) string {
	return f.repl.ReplaceKnown(text, "")
}

// read returns the content of a file, and notes that it was read.
func (f *filler) read(name string) ([]byte, error) {
	if f.files != nil {
		f.files.note(name)
	}
	content, err := regularfile.Read(name, maxFile)
	switch {
	case err != nil:
		return nil, err
	case len(bytes.TrimSpace(content)) == 0:
		return nil, fmt.Errorf("%s is empty", name)
	}
	return content, nil
}
