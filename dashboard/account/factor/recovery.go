// SPDX-License-Identifier: Apache-2.0

package factor

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strings"
)

const (
	// RecoveryCodes is how many recovery codes somebody has.
	RecoveryCodes = 10
	// recoveryLength is how many characters one has: 50 bits, which nobody guesses within
	// the limits of codes. At rest they are hashed, and the hashes sealed.
	recoveryLength = 10
	// recoveryAlphabet leaves out what is taken for something else (Crockford's base 32).
	recoveryAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"
)

// NewRecoveryCodes returns the recovery codes of an owner, to be shown once, and their
// hashes, to be kept.
func NewRecoveryCodes(owner string) (codes, hashes []string) {
	random := make([]byte, RecoveryCodes*recoveryLength)
	_, _ = rand.Read(random)
	for i := range RecoveryCodes {
		code := random[i*recoveryLength : (i+1)*recoveryLength]
		for j := range code {
			code[j] = recoveryAlphabet[int(code[j])%len(recoveryAlphabet)]
		}
		codes = append(codes, string(code[:recoveryLength/2])+"-"+string(code[recoveryLength/2:]))
		hashes = append(hashes, recoveryHash(owner, codes[i]))
	}
	return codes, hashes
}

// UseRecoveryCode returns the hashes that are left when an owner has used a code, and
// reports whether it was one.
func UseRecoveryCode(owner string, hashes []string, code string) (left []string, ok bool) {
	hash, found := recoveryHash(owner, code), -1
	for i, kept := range hashes {
		if subtle.ConstantTimeCompare([]byte(kept), []byte(hash)) == 1 {
			found = i
		}
	}
	if found < 0 {
		return hashes, false
	}
	return slices.Delete(slices.Clone(hashes), found, found+1), true
}

// misread is what people write for characters of the alphabet.
var misread = strings.NewReplacer("-", "", " ", "", "o", "0", "i", "1", "l", "1")

// recoveryHash binds a code to its owner, so that equal codes of two have two hashes.
func recoveryHash(owner, code string) string {
	sum := sha256.Sum256([]byte("recovery\x00" + owner + "\x00" + misread.Replace(strings.ToLower(code))))
	return base64.RawStdEncoding.EncodeToString(sum[:])
}
