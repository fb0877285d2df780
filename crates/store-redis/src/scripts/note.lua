-- Extends the lease, and with data stores them as the same revision.
-- ARGV: holder, fence, revision, length of the lease, and maybe data, key.
if holder ~= ARGV[1] or fence ~= tonumber(ARGV[2]) or left <= 0 or revision ~= ARGV[3] then
  return reply('lost')
end
if ARGV[5] then
  redis.call('HSET', KEYS[1], 'data', ARGV[5], 'key', ARGV[6])
end
lease(tonumber(ARGV[4]))
left = tonumber(ARGV[4])
return reply('done')
