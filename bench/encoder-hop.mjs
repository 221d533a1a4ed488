/**
 * What does it cost to have the encoder in another process? One picture (640 × 480) at a time, to the encoder here and to two
 * services on loopback in turn, each with the default model; the services get the pictures one after the other.
 *
 *   node bench/encoder-hop.mjs [runs]
 *
 * `share of the wire` is the same hop to a service whose encoder answers at once, so that the machine's other work counts less.
 */
import { spawn } from 'node:child_process'
import { bundleHash, openBundle } from '../dist/bundle/open.js'
import { openLocalEncoder } from '../dist/encoder/local-encoder.js'
import { EncoderServer } from '../dist/encoder/remote/encoder-server.js'
import { openRemoteEncoder } from '../dist/encoder/remote/remote-encoder.js'
import { args, Report, sized } from './harness.mjs'
import { executable, listeningUrl, NANO } from './service.mjs'

const RUNS = Number(args[0] ?? sized(300, 2))
const WARM = sized(20, 0)
const SECRET = 'a-secret-of-the-measurement'
const { dir, manifest } = await openBundle(NANO)
const sha256 = bundleHash(manifest)
const report = new Report('encoder-hop', { model: manifest.name })
const picture = () => ({ modality: 'image', width: 640, height: 480, data: new Uint8Array(640 * 480 * 3).fill(90) })

const children = [1, 2].map(() =>
  spawn(executable, ['encoder', '--port', '0'], {
    env: { ...process.env, ENCODER_SECRET: SECRET },
    stdio: ['ignore', 'pipe', 'inherit'],
  }),
)
const local = openLocalEncoder(dir, manifest)
const instant = { ...local, modalities: manifest.modalities, heads: [], ready: async () => {} }
instant.encode = async () => new Float32Array(manifest.embedDim)
const idle = new EncoderServer({
  encoder: instant,
  model: { name: 'idle', sha256 },
  secret: SECRET,
  maxBodyBytes: 1 << 28,
})
try {
  const urls = await Promise.all(children.map(listeningUrl))
  const remote = openRemoteEncoder(manifest, sha256, { urls, secret: SECRET })
  const { port } = await idle.listen(0, '127.0.0.1')
  const wire = openRemoteEncoder(manifest, sha256, { urls: [`http://127.0.0.1:${port}`], secret: SECRET })
  await local.ready()
  const encoders = { local, remote, wire }
  const times = { local: [], remote: [], wire: [] }
  for (let run = -WARM; run < RUNS; run++) {
    for (const [name, encoder] of Object.entries(encoders)) {
      const input = picture()
      const start = performance.now()
      await encoder.encode(input)
      if (run >= 0) times[name].push(performance.now() - start)
    }
  }
  const differences = times.remote.map((took, i) => took - times.local[i])
  report.row('encoder in this process', times.local)
  report.row('two services on loopback', times.remote)
  report.row('difference, run by run', differences)
  report.row('share of the wire', times.wire)
  report.end()
  await Promise.all([remote.close(), wire.close()])
} finally {
  for (const child of children) child.kill('SIGTERM')
  await idle.close()
  await local.close()
}
