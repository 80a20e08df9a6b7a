// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// prefixer mixes the output of several programs line by line. Each line begins
// with the name of its program.
type prefixer struct {
	mu    sync.Mutex
	out   io.Writer
	lines []*lineWriter
}

// named returns the writer for a program's output.
func (p *prefixer) named(name string) io.Writer {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := &lineWriter{prefixer: p, prefix: fmt.Sprintf("%-10s| ", name)}
	p.lines = append(p.lines, w)
	return w
}

// flush writes the unfinished lines.
func (p *prefixer) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.lines {
		if len(w.rest) > 0 {
			fmt.Fprintf(p.out, "%s%s\n", w.prefix, w.rest)
			w.rest = nil
		}
	}
}

// lineWriter writes whole lines with a prefix.
type lineWriter struct {
	prefixer *prefixer
	prefix   string
	rest     []byte
}

// Write prints the lines that are now complete. It never fails: the programs
// must not end because nobody reads their output.
func (w *lineWriter) Write(text []byte) (int, error) {
	w.prefixer.mu.Lock()
	defer w.prefixer.mu.Unlock()
	w.rest = append(w.rest, text...)
	for {
		line, rest, ok := bytes.Cut(w.rest, []byte("\n"))
		if !ok {
			return len(text), nil
		}
		fmt.Fprintf(w.prefixer.out, "%s%s\n", w.prefix, line)
		w.rest = rest
	}
}
