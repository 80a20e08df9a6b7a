// SPDX-License-Identifier: Apache-2.0

package schedule

// item is something that is due. There may be a million items: what only some
// need does not belong here.
type item[V any] struct {
	key   string
	value V
	band  *band
	// at is the time of the item's next event; see band.heap.
	at int64
	// place is where the item stands in the heap, or outside.
	place int32
	// next chains items with the same hash, and free ones.
	next uint32
}

// outside is the place of an item that is not in the heap.
const outside = -1

const (
	chunkBits = 10
	chunkSize = 1 << chunkBits
)

// slab hands out items by number, from 1. It grows by chunks, so that growing
// copies nothing, and never shrinks.
type slab[V any] struct {
	chunks [][]item[V]
	// used is the highest number handed out yet.
	used uint32
	// free is the first of the chain of free items.
	free uint32
}

func (b *slab[V]) at(ref uint32) *item[V] {
	return &b.chunks[(ref-1)>>chunkBits][(ref-1)&(chunkSize-1)]
}

func (b *slab[V]) take() uint32 {
	if ref := b.free; ref != 0 {
		b.free = b.at(ref).next
		return ref
	}
	if b.used>>chunkBits == uint32(len(b.chunks)) {
		b.chunks = append(b.chunks, make([]item[V], chunkSize))
	}
	b.used++
	return b.used
}

func (b *slab[V]) give(ref uint32) {
	*b.at(ref) = item[V]{next: b.free}
	b.free = ref
}
