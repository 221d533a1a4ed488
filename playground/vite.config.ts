/** Builds both pages into dist/playground, from where the service serves them; `vite playground` serves them while one works on them. */
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { defineConfig, type Plugin } from 'vite'

/** Each text file also compressed, which the service sends to whoever takes it. */
const precompressed = (): Plugin => ({
  name: 'precompressed',
  enforce: 'post',
  generateBundle(_options, bundle) {
    for (const [fileName, file] of Object.entries(bundle)) {
      const source = file.type === 'chunk' ? file.code : file.source
      this.emitFile({ type: 'asset', fileName: `${fileName}.br`, source: brotliCompressSync(source) })
      this.emitFile({ type: 'asset', fileName: `${fileName}.gz`, source: gzipSync(source, { level: 9 }) })
    }
  },
})

/** The service on loopback refuses calls of another origin, which this development server is. */
const api = {
  target: 'http://127.0.0.1:8080',
  configure: (proxy: { on(event: 'proxyReq', act: (request: { removeHeader(name: string): void }) => void): void }) =>
    proxy.on('proxyReq', (request) => request.removeHeader('origin')),
}

export default defineConfig({
  root: import.meta.dirname,
  plugins: [precompressed()],
  server: { proxy: { '/v1': api, '/openapi.json': api } },
  build: {
    outDir: '../dist/playground',
    emptyOutDir: true,
    target: 'es2022',
    // A data: address would be against the content security policy, and every old browser meant by the polyfill is too old for the rest.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: [`${import.meta.dirname}/index.html`, `${import.meta.dirname}/docs.html`] },
  },
})
