// One address before several: each request goes to the next service, and on to another if that one takes no connection, or breaks
// off before it answers what only reads. Any other request that was sent is not sent again: that is for the client to say
// (docs/retries.md).
import { createServer, request as requestOf } from 'node:http'

/** @param {string[]} urls @returns the server, listening on the port */
export async function startFront(urls, port) {
  let turn = 0
  const server = createServer((request, response) => {
    const first = turn++
    const attempt = (n) => {
      const target = new URL(urls[(first + n) % urls.length])
      const { hostname, port } = target
      const passed = requestOf({ hostname, port, method: request.method, path: request.url, headers: request.headers })
      let isConnected = false
      passed.on('socket', (socket) => {
        const begin = () => {
          isConnected = true
          request.pipe(passed)
        }
        if (socket.connecting) socket.once('connect', begin)
        else begin()
      })
      passed.on('response', (answer) => {
        response.writeHead(answer.statusCode, answer.headers)
        answer.on('error', () => response.destroy())
        answer.pipe(response)
      })
      passed.on('error', () => {
        const isSafe = !isConnected || request.method === 'GET' || request.method === 'HEAD'
        if (isSafe && !response.headersSent && n + 1 < urls.length) attempt(n + 1)
        else if (response.headersSent) response.destroy()
        else response.writeHead(502, { 'content-type': 'text/plain', 'retry-after': '1' }).end('No service took it.\n')
      })
      response.on('close', () => passed.destroy())
    }
    attempt(0)
  })
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  return server
}
