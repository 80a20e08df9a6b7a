// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"encoding/binary"
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/queue/internal/record"
)

// Kinds of frames of an [Interim]. The first two begin with the intent's number,
// 8 bytes.
const (
	// frameIntent holds a row of intents with one, see [record.AppendIntents].
	frameIntent = 'I'
	// frameResolution holds what became of it, see [record.AppendResolution].
	frameResolution = 'R'
	// frameHanded holds numbers of intents that the queue has, 8 bytes each.
	frameHanded = 'H'
)

const numberSize = 8

func appendInterimIntent(b []byte, intent *queue.Intent) []byte {
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

func appendInterimResolution(b []byte, id queue.IntentID, resolution *queue.Resolution) []byte {
	content := binary.BigEndian.AppendUint64(make([]byte, 0, 256), uint64(id))
	return record.AppendFrame(b, frameResolution, record.AppendResolution(content, resolution))
}

func appendHanded(b []byte, intents []*interimIntent) []byte {
	content := make([]byte, 0, numberSize*len(intents))
	for _, one := range intents {
		content = binary.BigEndian.AppendUint64(content, uint64(one.ID))
	}
	return record.AppendFrame(b, frameHanded, content)
}

// parseInterim decodes a frame, and does what it tells with what is known.
func parseInterim(known map[queue.IntentID]*interimIntent, kind byte, content []byte) error {
	if len(content) < numberSize {
		return record.ErrDamaged
	}
	id := queue.IntentID(binary.BigEndian.Uint64(content))
	one, rest := known[id], content[numberSize:]
	switch kind {
	case frameIntent:
		intents, err := record.ParseIntents(id, rest)
		if err != nil {
			return err
		}
		if len(intents) != 1 || !IsInterim(id) || one != nil {
			return record.ErrDamaged
		}
		known[id] = &interimIntent{Intent: intents[0]}
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
			delete(known, queue.IntentID(binary.BigEndian.Uint64(content)))
		}
		if len(content) != 0 {
			return record.ErrDamaged
		}
	default:
		return fmt.Errorf("%w: a frame of kind %q", queue.ErrNewerFormat, kind)
	}
	return nil
}
