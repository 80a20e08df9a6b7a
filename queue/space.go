// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"errors"
	"fmt"
)

// Space says how much of a disk a queue leaves alone, in bytes. 0 stands for
// the engine's default.
type Space struct {
	// Low is the free space below which the queue takes little more: history
	// is trimmed, and intents are not written one by one.
	Low uint64
	// Critical is the free space below which the queue closes, at least
	// [MinCritical].
	Critical uint64
	// Reserve is the size of a file that holds room for closing, and for
	// opening again.
	Reserve uint64
}

// MinCritical is the least that [Space.Critical] may be.
const MinCritical = 192 << 20

// Check reports values that do not fit together.
func (s Space) Check() error {
	switch {
	case s.Critical != 0 && s.Critical < MinCritical:
		return fmt.Errorf("the critical free space must be at least %d MiB: so much may have to be written to close the queue", MinCritical>>20)
	case s.Low != 0 && s.Low <= max(s.Critical, MinCritical):
		return errors.New("the low free space must be more than the critical one")
	}
	return nil
}

// SpaceLevel is how much free space there is.
type SpaceLevel int32

// The levels of free space.
const (
	// SpaceEnough: more than [Space.Low].
	SpaceEnough SpaceLevel = iota
	// SpaceLow: less than [Space.Low].
	SpaceLow
	// SpaceCritical: less than [Space.Critical]. The queue takes nothing more.
	SpaceCritical
)

// String returns the level's name.
func (l SpaceLevel) String() string {
	switch l {
	case SpaceLow:
		return "low"
	case SpaceCritical:
		return "critical"
	default:
		return "enough"
	}
}
