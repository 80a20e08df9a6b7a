// SPDX-License-Identifier: Apache-2.0

// Package catalogue describes what subscribers get: the shape of each type of event, as
// far as it was seen, and the API by which they manage their callbacks.
//
// A [Schema] is learned from Shows. It widens with each: all that was seen fits, and as
// little else as can be said without guessing. [Build] makes an OpenAPI document of a
// [Description].
package catalogue
