-- SPDX-License-Identifier: Apache-2.0

-- Times are nanoseconds since 1970, of the database's clock; the lowest number is
-- "never". Names are bytes: a text cannot hold every one. Objects are found by a hash
-- of their key (16 bytes), as keys may be longer than an index takes.

-- +goose Up

create table webhooks.setting (
  single    boolean primary key default true check (single),
  instance  bytea not null,
  hash_key  bytea not null,
  -- Days before this one were dropped, with all events up to a position.
  first_day integer not null default 0,
  removed   bigint not null default 0
);

create sequence webhooks.node_number maxvalue 4194303;
create sequence webhooks.position;
create sequence webhooks.version;

-- Who writes here. A node that is dead never writes again under its number.
create table webhooks.node (
  id   bigint primary key,
  beat bigint not null default 0,
  dead boolean not null default false
) with (fillfactor = 50);

create table webhooks.lease (
  name  bytea primary key,
  node  bigint not null,
  until bigint not null
) with (fillfactor = 50);

create table webhooks.intent (
  id        bigint primary key,
  node      bigint not null,
  resource  bytea not null,
  noted     bigint not null,
  deadline  bigint not null,
  abandoned boolean not null,
  -- The objects that it names, by hash.
  objects   bytea[] not null,
  record    bytea not null
);

create table webhooks.unresolved (
  id       bigint primary key,
  resource bytea not null,
  at       bigint not null,
  reason   bytea not null,
  record   bytea not null
);
create index on webhooks.unresolved (at, id);

-- wake says when a mark may be leased: when it is due, or when its lease passes.
create table webhooks.mark (
  object     bytea primary key,
  resource   bytea not null,
  id         bytea not null,
  rank       smallint not null default 0,
  wake       bigint not null default 9223372036854775807,
  until      bigint not null default 0,
  fence      bigint not null default 0,
  generation bigint not null default 0,
  look       boolean not null default false,
  tries      integer not null default 0,
  marked     bigint not null default 0,
  record     bytea not null default ''
) with (fillfactor = 70);
create index mark_wake on webhooks.mark (resource, rank, wake);
create index mark_id on webhooks.mark (resource, substring(id for 500));

create table webhooks.object (
  object   bytea primary key,
  resource bytea not null,
  id       bytea not null,
  sequence bigint not null,
  gone     boolean not null,
  -- The object of which this is another name.
  alias    bytea,
  touched  bigint not null,
  record   bytea not null,
  show     bytea
) with (fillfactor = 80);
create index object_id on webhooks.object (resource, substring(id for 500));
create index object_gone on webhooks.object (object) where gone or alias is not null;

create table webhooks.callback (
  object bytea primary key,
  sealed bytea not null,
  closed boolean not null default false
);

create table webhooks.floor (
  resource bytea primary key,
  sequence bigint not null
);

create table webhooks.endpoint (
  name     bytea primary key,
  -- 0: a lane for each object, 1: one for all, 2: one for each delivery. What is
  -- pending is in lanes of the present order; it becomes the next one when nothing is
  -- leased.
  ordering smallint not null default 0,
  next     smallint not null default 0
);

create table webhooks.lane (
  endpoint bytea not null,
  lane     bytea not null,
  wake     bigint not null,
  until    bigint not null default 0,
  fence    bigint not null default 0,
  -- The position of what is leased.
  leased   bigint not null default 0,
  -- Counts what was added, so that whoever adds waits for whoever empties the lane.
  grown    bigint not null default 0,
  primary key (endpoint, lane)
) with (fillfactor = 70);
create index lane_wake on webhooks.lane (endpoint, wake);

create table webhooks.pending (
  endpoint bytea not null,
  position bigint not null,
  day      integer not null,
  event    bytea not null,
  type     bytea not null,
  object   bytea not null,
  resource bytea not null,
  id       bytea not null,
  sequence bigint not null,
  attempts integer not null default 0,
  prior    integer not null default 0,
  extra    integer not null default 0,
  hastened bigint not null,
  created  bigint not null,
  due      bigint not null,
  -- Whether the event was meant for the endpoint when it was committed.
  routed   boolean not null,
  format   bytea not null,
  primary key (endpoint, position)
) with (fillfactor = 80);
create index pending_object on webhooks.pending (endpoint, object, position);
create index pending_position on webhooks.pending (position);

-- History, in days that are dropped as a whole. What belongs to an event lies in its
-- day.
create table webhooks.event (
  day      integer not null,
  position bigint not null,
  event    bytea not null,
  type     bytea not null,
  object   bytea not null,
  created  bigint not null,
  -- The tenant whose feed has it, by hash, and whether the operator's has it.
  feed     bytea,
  operated boolean not null,
  snapshot boolean not null,
  size     bigint not null,
  record   bytea not null,
  payload  bytea,
  previous bytea,
  primary key (position, day)
) partition by range (day);
create index event_id on webhooks.event (event);
create index event_created on webhooks.event (created);
create index event_feed on webhooks.event (feed, position) where feed is not null;
create index event_object on webhooks.event (object, feed, position);

create table webhooks.decided (
  endpoint bytea not null,
  position bigint not null,
  day      integer not null,
  event    bytea not null,
  type     bytea not null,
  object   bytea not null,
  resource bytea not null,
  id       bytea not null,
  sequence bigint not null,
  attempts integer not null,
  prior    integer not null,
  created  bigint not null,
  finished bigint not null,
  status   text not null,
  routed   boolean not null,
  format   bytea not null,
  primary key (position, endpoint, day)
) partition by range (day);
create index decided_endpoint on webhooks.decided (endpoint, position);

create table webhooks.attempt (
  endpoint bytea not null,
  position bigint not null,
  day      integer not null,
  number   integer not null,
  event    bytea not null,
  at       bigint not null,
  duration bigint not null,
  code     integer not null,
  error    bytea not null,
  response bytea,
  sent     bytea,
  primary key (position, endpoint, number, day)
) partition by range (day);

create table webhooks.filtered (
  endpoint bytea not null,
  position bigint not null,
  day      integer not null,
  format   bytea not null,
  primary key (endpoint, position, day)
) partition by range (day);
create index filtered_position on webhooks.filtered (position);

create table webhooks.record (
  kind    bytea not null,
  id      bytea not null,
  owner   bytea not null,
  version bigint not null,
  expires bigint not null,
  value   bytea not null,
  primary key (kind, id)
);
create index record_owner on webhooks.record (kind, owner, id);

-- The version of a kind's last change, and the changes that are still known: all
-- those behind "since".
create table webhooks.epoch (
  kind    bytea primary key,
  version bigint not null,
  since   bigint not null default 0
);
create table webhooks.change (
  kind    bytea not null,
  version bigint not null,
  id      bytea not null,
  primary key (kind, version, id)
);

-- The planner reckons with as many rows as there were when it last looked, and a queue is
-- empty most of the time: then all plans look the same, and it may take one that reads all
-- that waits. So these tables are never quite empty: some rows that are nobody's, and never
-- due, keep it reckoning with the size of the table. And it knows nothing of single columns,
-- whose values are others by the time it asks.
insert into webhooks.mark (object, resource, id)
  select int8send(n), int8send(n), int8send(n) from generate_series(1, 512) n;
insert into webhooks.lane (endpoint, lane, wake, until)
  select int8send(n), int8send(n), 9223372036854775807, -1 from generate_series(1, 512) n;
insert into webhooks.pending (endpoint, position, day, event, type, object, resource, id, sequence, hastened, created, due, routed, format)
  select int8send(n), -n, -1, '', '', int8send(n), '', '', 0, 0, 0, 9223372036854775807, false, '' from generate_series(1, 512) n;

-- +goose StatementBegin
do $$
declare
  hot record;
begin
  for hot in select attrelid::regclass as name, attname from pg_attribute
    where attrelid in ('webhooks.mark'::regclass, 'webhooks.lane'::regclass, 'webhooks.pending'::regclass) and attnum > 0
  loop
    execute format('alter table %s alter column %I set statistics 0', hot.name, hot.attname);
  end loop;
  for hot in select unnest(array['intent', 'mark', 'lane', 'pending']) as name loop
    -- As often with many rows as with few, and at once: rows live for milliseconds.
    execute format('alter table webhooks.%I set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0)', hot.name);
  end loop;
end $$;
-- +goose StatementEnd

-- A condition of a transaction whose statements are sent all at once.
-- +goose StatementBegin
create function webhooks.require(met boolean, state text, message text) returns void language plpgsql as $$
begin
  if met is not true then
    raise exception using errcode = state, message = message;
  end if;
end $$;
-- +goose StatementEnd

-- Locks the lane of a lease, which has to be held.
-- +goose StatementBegin
create function webhooks.hold_lane(of_endpoint bytea, of_lane bytea, of_fence bigint, now bigint) returns void language plpgsql as $$
begin
  perform from webhooks.lane where endpoint = of_endpoint and lane = of_lane and fence = of_fence and until > now for update;
  perform webhooks.require(found, 'WH002', 'the lease is no longer held');
end $$;
-- +goose StatementEnd

-- The lane of a delivery: its object, nothing, or its position.
-- +goose StatementBegin
create function webhooks.lane_of(ordering smallint, object bytea, "position" bigint) returns bytea language sql immutable as $$
  select case ordering when 0 then object when 1 then ''::bytea else int8send("position") end
$$;
-- +goose StatementEnd

-- The position of the first delivery of a lane, null if it is empty.
-- +goose StatementBegin
create function webhooks.head(of_endpoint bytea, of_lane bytea) returns bigint language plpgsql stable as $$
begin
  if length(of_lane) = 0 then
    return (select position from webhooks.pending where endpoint = of_endpoint order by position limit 1);
  elsif length(of_lane) = 8 then
    return (select position from webhooks.pending where endpoint = of_endpoint and position = ('x' || encode(of_lane, 'hex'))::bit(64)::bigint);
  end if;
  return (select position from webhooks.pending where endpoint = of_endpoint and object = of_lane order by position limit 1);
end $$;
-- +goose StatementEnd

-- Puts a lane in order after its deliveries have changed: it may be leased when its first
-- one is due, and an empty one is removed. A lease of it goes on, unless it is the one that
-- is over.
-- +goose StatementBegin
create function webhooks.settle(of_endpoint bytea, of_lane bytea, over bigint, now bigint) returns void language plpgsql as $$
declare
  first bigint;
begin
  perform from webhooks.lane where endpoint = of_endpoint and lane = of_lane for update;
  if not found then
    return;
  end if;
  first := webhooks.head(of_endpoint, of_lane);
  if first is null then
    delete from webhooks.lane where endpoint = of_endpoint and lane = of_lane;
    return;
  end if;
  update webhooks.lane l set
    wake = case when l.until > now and l.fence <> over then l.until else p.due end,
    until = case when l.fence = over then 0 else l.until end,
    fence = case when l.fence = over then 0 else l.fence end
  from webhooks.pending p
  where l.endpoint = of_endpoint and l.lane = of_lane and p.endpoint = of_endpoint and p.position = first;
end $$;
-- +goose StatementEnd

-- Makes the partitions of a day, for all tables with history.
-- +goose StatementBegin
create function webhooks.make_day(made integer) returns void language plpgsql as $$
declare
  parent text;
begin
  perform pg_advisory_xact_lock(1751474788, 3);
  if made < (select first_day from webhooks.setting) then
    return;
  end if;
  foreach parent in array array['event', 'decided', 'attempt', 'filtered'] loop
    if to_regclass(format('webhooks.%I', parent || '_' || made)) is null then
      execute format('create table webhooks.%I (like webhooks.%I including all)', parent || '_' || made, parent);
      execute format('alter table webhooks.%I attach partition webhooks.%I for values from (%s) to (%s)', parent, parent || '_' || made, made, made + 1);
    end if;
  end loop;
end $$;
-- +goose StatementEnd
