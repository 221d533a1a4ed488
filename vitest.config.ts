import { defineConfig } from 'vitest/config'

// Fast tests first by name; the slow ones (tests/slow) run in the same command, so that CI never forgets them.
export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts', 'sdk/typescript/tests/**/*.test.ts', 'examples/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // How long `expect.poll` waits for what it hopes for: never the measure of anything, so as long as a busy machine needs.
    expect: { poll: { timeout: 15_000 } },
    pool: 'forks',
    maxWorkers: 2,
  },
})
