// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"strings"
)

// keysWord stands before the path of an object whose members have ids as their names.
const keysWord = "keys"

// namesStep is the step of a path that leads to the names of an object's members. It is
// gjson's.
const namesStep = "@keys"

// parseNames parses what stands behind `keys:`: the path of an object in an answer, or
// nothing for the whole answer.
func parseNames(object string) (Value, error) {
	if object == "" || object == "response:" {
		return Value{Source: FromResponse, Name: namesStep}, nil
	}
	v, err := parseWhole(object)
	if err != nil {
		return v, err
	}
	if v.Source != FromResponse {
		return v, fmt.Errorf("%s:%s: the names of members are taken of objects in answers only", keysWord, object)
	}
	v.Name += "." + namesStep
	return v, nil
}

// isNames reports whether the value is the names of an object's members.
func (v Value) isNames() bool {
	return v.Source == FromResponse && (v.Name == namesStep || strings.HasSuffix(v.Name, "."+namesStep))
}
