"""The breaker's state and its one step, as it runs inside Redis. Only `breaker` knows it.

Everything of a source is in one hash. Moments are milliseconds of the caller's clock: `last` are the latest outcomes,
+ and -, the newest at the end; `until` is when an open breaker may be probed, `opens` how often it opened in a row,
`reason` why it is open; `probe_until` and `probe_by` say who is probing.
"""

CONSECUTIVE = 20  # failures in a row that open it
WINDOW = 50  # or more than half of so many
FIRST_SECONDS = 30
LONGEST_SECONDS = 600
FORGOTTEN_SECONDS = 86400

# ARGV: what to do, now, the new outcomes, who asks, and for `trip` the reason.
# Answers closed, open or probe; the moment until which it is open, or the probe may take; the reason; the latest
# outcomes; and how often it has opened in a row.
SCRIPT = f"""
local what, now, outcomes, who, why = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local kept = redis.call('HMGET', KEYS[1], 'last', 'until', 'opens', 'reason', 'probe_until', 'probe_by')
local last, till, opens = kept[1] or '', tonumber(kept[2]), tonumber(kept[3]) or 0
local reason, probe_until, probe_by = kept[4] or '', tonumber(kept[5]) or 0, kept[6] or ''
local function whole(number) return string.format('%.0f', number) end
local function seconds() return math.min({FIRST_SECONDS} * 2 ^ (opens - 1), {LONGEST_SECONDS}) end
local function keep(...)
  redis.call('HSET', KEYS[1], ...)
  redis.call('EXPIRE', KEYS[1], {FORGOTTEN_SECONDS})
end
local function open(span, because)
  till, reason = now + span * 1000, because
  keep('until', whole(till), 'opens', opens, 'reason', reason, 'last', '', 'probe_until', 0, 'probe_by', '')
  last = ''
end

if what == 'close' then
  redis.call('DEL', KEYS[1])
  return {{'closed', '0', '', '', 0}}
elseif what == 'trip' then
  opens = opens + 1
  open({LONGEST_SECONDS}, why)
elseif what == 'reopen' then
  if till and probe_by == who then
    opens = opens + 1
    -- What was refused altogether is probed as seldom as may be.
    local span = seconds()
    if reason ~= 'source_down' then span = {LONGEST_SECONDS} end
    open(span, reason)
  end
elseif what ~= 'state' and not till and outcomes ~= '' then
  last = string.sub(last .. outcomes, -{WINDOW})
  local row = #string.match(last, '%-*$')
  local _, failures = string.gsub(last, '%-', '')
  if row >= {CONSECUTIVE} or (#last == {WINDOW} and failures * 2 > {WINDOW}) then
    opens = opens + 1
    open(seconds(), 'source_down')
  else
    keep('last', last)
  end
end
if not till then return {{'closed', '0', '', last, opens}} end
if what == 'ask' and now >= till then
  if probe_until <= now then
    probe_until = now + seconds() * 1000
    keep('probe_until', whole(probe_until), 'probe_by', who)
    return {{'probe', whole(probe_until), reason, last, opens}}
  end
  -- Somebody else is probing: it may be over soon.
  till = math.min(probe_until, now + {FIRST_SECONDS} * 1000)
end
return {{'open', whole(till), reason, last, opens}}
"""
