-- Reports outcomes to the breaker of one source and reads its state, in one step.
--
-- KEYS[1] is the hash that holds everything about the source:
--   last    the latest outcomes, + and -, the newest at the end
--   until   when an open breaker lets the next probe through
--   opens   how often it opened in a row
--   reason  why it is open
--   refused_at   when the source refused us, if that is why it is open
--   proof   the source has answered since, which nobody has taken notice of yet
--   probe_until, probe_by   how long the present probe may take, and which process sent it
-- Moments are milliseconds on Redis' own clock, unless the caller gives the moment.
--
-- ARGV:
--   1 command: state, ask, note, trip, close or reopen
--   2 now, empty for Redis' clock   3 new outcomes   4 the caller   5 trip: the reason
--   6 failures in a row that open it   7 latest outcomes of which more than half must fail to open it
--   8 seconds that it is first open    9 seconds that it is open at most   10 seconds after which it is forgotten
--   11 how many milliseconds ago the question of the caller's latest answer was sent, empty for none
--
-- Returns closed, open or probe; the milliseconds for which it is open, or which the probe may take; the reason; the
-- latest outcomes; how often it opened in a row.
local command, now, outcomes, caller, why = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
if not now then
  local clock = redis.call('TIME')
  now = clock[1] * 1000 + math.floor(clock[2] / 1000)
end
local consecutive, window = tonumber(ARGV[6]), tonumber(ARGV[7])
local first_seconds, longest_seconds, forget_seconds = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local stored = redis.call('HMGET', KEYS[1], 'last', 'until', 'opens', 'reason', 'probe_until', 'probe_by', 'refused_at')
local answered, refused_at = tonumber(ARGV[11])
local last, till, opens = stored[1] or '', tonumber(stored[2]), tonumber(stored[3]) or 0
local reason, probe_until, probe_by = stored[4] or '', tonumber(stored[5]) or 0, stored[6] or ''
refused_at = tonumber(stored[7]) or 0
local function whole(number) return string.format('%.0f', number) end
local function seconds() return math.min(first_seconds * 2 ^ (opens - 1), longest_seconds) end
local function store(...)
  redis.call('HSET', KEYS[1], ...)
  redis.call('EXPIRE', KEYS[1], forget_seconds)
end
local function open(span, because)
  till, reason = now + span * 1000, because
  local refused = 0
  if reason ~= 'source_down' then refused = whole(now) end
  store('until', whole(till), 'opens', opens, 'reason', reason, 'last', '', 'probe_until', 0, 'probe_by', '',
        'refused_at', refused)
  last = ''
end

-- What the source answered that was asked after it had refused us was a refusal of some numbers alone.
local proves = command ~= 'state' and command ~= 'trip' and till and answered and refused_at > 0
if command == 'close' or (proves and now - answered > refused_at) then
  redis.call('DEL', KEYS[1])
  if till and reason ~= 'source_down' then store('proof', 1) end
  return {'closed', '0', '', '', 0}
elseif command == 'trip' then
  opens = opens + 1
  open(longest_seconds, why)
elseif command == 'reopen' then
  if till and probe_by == caller then
    opens = opens + 1
    -- A source that refuses us altogether is probed as rarely as possible.
    local span = seconds()
    if reason ~= 'source_down' then span = longest_seconds end
    open(span, reason)
  end
elseif command ~= 'state' and not till and outcomes ~= '' then
  last = string.sub(last .. outcomes, -window)
  local row = #string.match(last, '%-*$')
  local _, failures = string.gsub(last, '%-', '')
  if row >= consecutive or (#last == window and failures * 2 > window) then
    opens = opens + 1
    open(seconds(), 'source_down')
  else
    store('last', last)
  end
end
if not till then return {'closed', '0', '', last, opens} end
if command == 'ask' and now >= till then
  if probe_until <= now then
    probe_until = now + seconds() * 1000
    store('probe_until', whole(probe_until), 'probe_by', caller)
    return {'probe', whole(probe_until - now), reason, last, opens}
  end
  -- Another process is probing: it may be done soon.
  till = math.min(probe_until, now + first_seconds * 1000)
end
return {'open', whole(till - now), reason, last, opens}
