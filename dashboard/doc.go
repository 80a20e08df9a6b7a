// SPDX-License-Identifier: Apache-2.0

// Package dashboard serves subscribers pages on which they manage their endpoints, and see
// what came of them. All that the pages do is done by the actions of the API for
// subscribers, package callbacks, so there is one way to change anything.
package dashboard
