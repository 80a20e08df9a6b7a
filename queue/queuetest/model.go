// SPDX-License-Identifier: Apache-2.0

package queuetest

import (
	"testing"
)

func runModel(t *testing.T, open Open) {}
