/** The request that an event stands for, to the service on loopback. */
import { Agent, type IncomingMessage, request } from 'node:http'
import type { LocalRequest } from './http-event.ts'

/** One event at a time, so one connection. */
const agent = new Agent({ keepAlive: true, maxSockets: 1 })

/** The answer, its body unread. Rejects if the service cannot be reached. */
export function askLocally(port: number, { method, path, headers, body }: LocalRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ agent, host: '127.0.0.1', port, method, path, headers }, resolve).on('error', reject).end(body)
  })
}
