// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Files that are read from their beginning to their end are made of frames:
//
//	kind 1 byte | length 4 bytes | content | CRC-32C of all before 4 bytes
const (
	frameHead = 1 + 4
	// MaxFrame limits what a damaged length can have read.
	MaxFrame = 64 << 20
)

// Castagnoli is the table of CRC-32C.
var Castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errFrameCut = errors.New("it ends early; was it copied as a whole?")
	errFrameSum = errors.New("a checksum is wrong")
)

// AppendFrame appends a frame.
func AppendFrame(b []byte, kind byte, content []byte) []byte {
	begin := len(b)
	b = append(b, kind)
	b = binary.BigEndian.AppendUint32(b, uint32(len(content)))
	b = append(b, content...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[begin:], Castagnoli))
}

// ReadFrame reads a frame.
func ReadFrame(in io.Reader) (kind byte, content []byte, err error) {
	head := make([]byte, frameHead)
	if _, err := io.ReadFull(in, head); err != nil {
		return 0, nil, errFrameCut
	}
	length := binary.BigEndian.Uint32(head[1:])
	if length > MaxFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes", length)
	}
	content = make([]byte, length+crc32.Size)
	if _, err := io.ReadFull(in, content); err != nil {
		return 0, nil, errFrameCut
	}
	sum := binary.BigEndian.Uint32(content[length:])
	content = content[:length]
	if sum != crc32.Update(crc32.Checksum(head, Castagnoli), Castagnoli, content) {
		return 0, nil, errFrameSum
	}
	return head[0], content, nil
}
