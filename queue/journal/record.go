// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"encoding/binary"
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// Kinds of frames. The first two begin with the intent's number, 8 bytes.
const (
	// frameIntent holds a row with one intent, see [record.AppendIntents].
	frameIntent = 'I'
	// frameResolution holds what became of it, see [record.AppendResolution].
	frameResolution = 'R'
	// frameHanded holds numbers of intents that the queue has, 8 bytes each.
	frameHanded = 'H'
)

const numberSize = 8

func appendIntent(b []byte, intent *queue.Intent) []byte {
	content := binary.BigEndian.AppendUint64(make([]byte, 0, 256), uint64(intent.ID))
	one := row{intent.ID, record.AppendIntent(nil, intent)}
	return record.AppendFrame(b, frameIntent, record.AppendIntents(content, intent.ID, []row{one}))
}

// row is the only intent of a row.
type row struct {
	id     queue.IntentID
	fields []byte
}

// Row implements [record.Row].
func (r row) Row() (id queue.IntentID, fields []byte) { return r.id, r.fields }

func appendResolution(b []byte, id queue.IntentID, resolution *queue.Resolution) []byte {
	content := binary.BigEndian.AppendUint64(make([]byte, 0, 256), uint64(id))
	return record.AppendFrame(b, frameResolution, record.AppendResolution(content, resolution))
}

func appendHanded(b []byte, entries []*entry) []byte {
	content := make([]byte, 0, numberSize*len(entries))
	for _, one := range entries {
		content = binary.BigEndian.AppendUint64(content, uint64(one.ID))
	}
	return record.AppendFrame(b, frameHanded, content)
}

// parseFrame decodes a frame and applies it to the entries of those before.
func parseFrame(entries map[queue.IntentID]*entry, kind byte, content []byte) error {
	if len(content) < numberSize {
		return record.ErrDamaged
	}
	id := queue.IntentID(binary.BigEndian.Uint64(content))
	one, rest := entries[id], content[numberSize:]
	switch kind {
	case frameIntent:
		intents, err := record.ParseIntents(id, rest)
		if err != nil {
			return err
		}
		if len(intents) != 1 || !Holds(id) || one != nil {
			return record.ErrDamaged
		}
		entries[id] = &entry{Intent: intents[0]}
	case frameResolution:
		resolution, err := record.ParseResolution(rest)
		if err != nil {
			return err
		}
		if one == nil || one.resolution != nil {
			return record.ErrDamaged
		}
		one.resolution = &resolution
	case frameHanded:
		for ; len(content) >= numberSize; content = content[numberSize:] {
			delete(entries, queue.IntentID(binary.BigEndian.Uint64(content)))
		}
		if len(content) != 0 {
			return record.ErrDamaged
		}
	default:
		return fmt.Errorf("%w: a frame of kind %q", queue.ErrNewerFormat, kind)
	}
	return nil
}
