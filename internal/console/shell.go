// SPDX-License-Identifier: Apache-2.0

package console

import (
	"fmt"
	"regexp"
	"strings"
)

// Words splits a command as a shell does, as far as pages need it: quotes, and
// variables outside of single ones. A variable that is not set is an error.
func Words(command string, variables map[string]string) ([]string, error) {
	var words []string
	var word strings.Builder
	quote, inWord := byte(0), false
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case quote == 0 && c == ' ':
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
			continue
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case c == quote:
			quote = 0
		case c == '$' && quote != '\'':
			name := variableName.FindString(command[i+1:])
			value, set := variables[name]
			if !set {
				return nil, fmt.Errorf("$%s is not set", name)
			}
			word.WriteString(value)
			i += len(name)
		case c == '\\' || quote == 0 && strings.IndexByte("|&;<>()*?[]{}`#~", c) >= 0:
			return nil, fmt.Errorf("%q has to stand in quotes", c)
		default:
			word.WriteByte(c)
		}
		inWord = true
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote does not end")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

var (
	variableName = regexp.MustCompile(`^[A-Z]+`)
	assignment   = regexp.MustCompile(`^([A-Z]+)=(.*)$`)
)
