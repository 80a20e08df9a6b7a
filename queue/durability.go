// SPDX-License-Identifier: Apache-2.0

package queue

import "fmt"

// Durability says what acknowledged work survives.
type Durability int32

const (
	// Power: a loss of power. Acknowledging waits for the disk.
	Power Durability = iota
	// Process: a crash of the process. Acknowledging waits for the operating
	// system only, which writes to the disk by itself within seconds.
	Process
)

// ParseDurability returns the durability of a word of the configuration.
func ParseDurability(word string) (Durability, error) {
	switch word {
	case "power":
		return Power, nil
	case "process":
		return Process, nil
	default:
		return 0, fmt.Errorf("%q is not a durability; there are power and process", word)
	}
}

// String returns the word of the configuration.
func (d Durability) String() string {
	if d == Process {
		return "process"
	}
	return "power"
}
