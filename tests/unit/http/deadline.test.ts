import { setTimeout } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { raced } from '../../../src/http/plugins/deadline.ts'

// An unhandled rejection ends the process: a client that hangs up at the right moment would end the service.
it('leaves no rejection unhandled where the client had gone before the work was waited for', async () => {
  const unhandled: unknown[] = []
  const note = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', note)
  try {
    const gone = new Error('The client has gone.')
    await expect(raced(AbortSignal.abort(gone), Promise.reject(gone))).rejects.toBe(gone)
    await setTimeout(0)
    expect(unhandled).toEqual([])
  } finally {
    process.off('unhandledRejection', note)
  }
})
