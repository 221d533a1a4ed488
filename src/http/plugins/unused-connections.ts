/**
 * Browsers and clients open connections ahead. One on which nothing was asked yet is not idle in Node's eyes, so it would hold
 * up the close until its time limit; here such connections end with the service.
 */
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

export function registerUnusedConnections(app: FastifyInstance): void {
  const unused = new Set<Socket>()
  app.server.on('connection', (socket: Socket) => {
    unused.add(socket)
    socket.once('close', () => unused.delete(socket))
  })
  app.server.on('request', ({ socket }) => unused.delete(socket))
  app.addHook('preClose', async () => {
    for (const socket of unused) socket.destroy()
  })
}
