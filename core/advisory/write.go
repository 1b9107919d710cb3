package advisory

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"
)

// write encodes all tables and makes them the set.
func (b *builder) write(ctx context.Context, tables []table, open func() (sink, error)) (err error) {
	w, err := open()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			w.undo()
		}
	}()
	b.Progress("write the set")
	m := manifest{SchemaVersion: 2, MediaType: manifestMediaType, ArtifactType: ArtifactType}
	if m.Layers, err = b.layers(ctx, tables, w); err != nil {
		return fmt.Errorf("write the set: %w", err)
	}
	raw, err := json.Marshal(b.index)
	if err != nil {
		return err
	}
	if m.Config, err = w.blob(indexMediaType, raw); err != nil {
		return fmt.Errorf("write the set: %w", err)
	}
	if b.Created {
		m.Annotations = map[string]string{createdAnnotation: b.Now.UTC().Format(time.RFC3339)}
	}
	if raw, err = json.Marshal(m); err != nil {
		return err
	}
	d, err := w.finish(raw, nil)
	if err != nil {
		return fmt.Errorf("write the set: %w", err)
	}
	b.fillReport(d, &m, w)
	return nil
}

// layer is one shard or filter to be: its table, and the entries.
type layer struct {
	table  *table
	filter bool
	part
}

// layers encodes and writes all shards and filters, several at a time, and lists them in the index.
func (b *builder) layers(ctx context.Context, tables []table, w sink) ([]descriptor, error) {
	list := b.arrange(tables)
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression),
		zstd.WithEncoderConcurrency(b.Parallel), zstd.WithEncoderCRC(false), zstd.WithWindowSize(encoderWindow))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	out := make([]descriptor, len(list))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(b.Parallel)
	for i, l := range list {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			var blob []byte
			var err error
			mediaType := shardMediaType
			if l.filter {
				mediaType = filterMediaType
				blob, err = encodeFilter(l.table.entries)
			} else {
				blob, err = encodeShard(l.table.kind, l.entries, z)
			}
			if err != nil {
				return err
			}
			out[i], err = w.blob(mediaType, blob)
			return err
		})
	}
	return out, group.Wait()
}

// arrange cuts the tables into layers and writes down where each is.
func (b *builder) arrange(tables []table) []layer {
	var list []layer
	for i := range tables {
		t := &tables[i]
		sortEntries(t.entries)
		listed := tableIndex{Kind: t.kind.String(), Name: t.name, Keys: len(t.entries), First: len(list)}
		parts := split(t.entries, t.target())
		for j, p := range parts {
			if j > 0 {
				listed.Prefixes += " "
			}
			listed.Prefixes += p.prefix
			list = append(list, layer{table: t, part: p})
		}
		if t.filtered(len(parts)) {
			listed.Filter = true
			list = append(list, layer{table: t, filter: true})
		}
		b.index.Tables = append(b.index.Tables, listed)
	}
	return list
}

// target is the size at which a shard of the table is split, in raw bytes.
func (t *table) target() int {
	if t.kind == factsTable {
		return factsTarget
	}
	return shardTarget
}

// filtered reports whether the table has a filter: where many of the keys that are looked up are not there, and a shard
// costs more than the filter.
func (t *table) filtered(shards int) bool {
	return (t.kind == packagesTable || t.kind == idsTable) && shards > 1 && len(t.entries) <= maxFilterKeys
}

func (b *builder) fillReport(d descriptor, m *manifest, w sink) {
	r := &b.report
	r.Digest, r.Records, r.Ecosystems, r.Sources, r.AsOf = d.Digest, b.index.Records, b.index.Ecosystems, b.index.Sources, b.index.AsOf
	r.Shards, r.Bytes = len(m.Layers), d.Size+m.Config.Size
	for _, l := range m.Layers {
		r.Bytes += l.Size
	}
	r.Written = w.new()
}
