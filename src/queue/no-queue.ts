/** Where several processes serve the same and none was told where jobs wait: none is taken. */
import { DomainError } from '../errors.ts'
import type { Consumer, Queue, QueueDepth } from './queue.ts'

export class NoQueue implements Queue {
  async send(): Promise<void> {
    const message =
      'This service takes no jobs: several processes serve the same, and QUEUE_URL, which they would need, is not set.'
    throw new DomainError('queue-unavailable', message, { retryAfterS: 60 })
  }

  consume(): Consumer {
    return { stop: async () => undefined }
  }

  async depth(): Promise<QueueDepth> {
    return { waiting: 0, active: 0, parked: 0 }
  }

  async close(): Promise<void> {}
}
