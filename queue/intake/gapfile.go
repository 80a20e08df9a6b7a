// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"slices"
	"strings"
	"time"
)

// The file of gaps is written in place and has one size, so that a full disk
// does not matter:
//
//	CRC-32C of what follows 4 bytes | length 4 bytes | JSON | zeros
const (
	gapsSize   = 16 << 10
	gapsHeader = 4 + 4
)

var (
	gapsTable  = crc32.MakeTable(crc32.Castagnoli)
	errBadGaps = errors.New("the file is damaged")
)

// encodeGaps returns the content of the file.
func encodeGaps(all []Gap) []byte {
	slices.SortFunc(all, func(a, b Gap) int { return strings.Compare(a.Resource, b.Resource) })
	text, err := json.Marshal(all)
	if err != nil || len(text) > gapsSize-gapsHeader {
		// There are more resources than have room in the file.
		text = []byte(`[{"resource":"*","since":"` + time.Now().UTC().Format(time.RFC3339) + `","deletes":true}]`)
	}
	content := make([]byte, gapsSize)
	binary.BigEndian.PutUint32(content[4:], uint32(len(text)))
	copy(content[gapsHeader:], text)
	binary.BigEndian.PutUint32(content, crc32.Checksum(content[4:], gapsTable))
	return content
}

// decodeGaps reads the content of the file. An empty file has no gaps.
func decodeGaps(content []byte) ([]Gap, error) {
	if len(bytes.Trim(content, "\x00")) == 0 {
		return nil, nil
	}
	if len(content) != gapsSize || binary.BigEndian.Uint32(content) != crc32.Checksum(content[4:], gapsTable) {
		return nil, errBadGaps
	}
	length := binary.BigEndian.Uint32(content[4:])
	if length > gapsSize-gapsHeader {
		return nil, errBadGaps
	}
	var all []Gap
	if err := json.Unmarshal(content[gapsHeader:][:length], &all); err != nil {
		return nil, errBadGaps
	}
	return all, nil
}
