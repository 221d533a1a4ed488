/** The few calls of our own HTTP API that the benchmark needs; over a socket, like anyone's. */

/** Each a string to embed, or the bytes of a file. */
export type Input = string | Uint8Array

export class BenchmarkClient {
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  /** Unit vectors of up to 128 inputs, in order. */
  async embed(inputs: readonly Input[]): Promise<Float32Array[]> {
    const form = formOf(inputs)
    form.set('encoding_format', 'base64')
    const answer = await this.#request('POST', '/v1/embeddings', { body: form })
    return (answer as { data: { embedding: string }[] }).data.map(({ embedding }) => fromBase64(embedding))
  }

  async createCollection(name: string): Promise<void> {
    const headers = { 'content-type': 'application/json' }
    await this.#request('POST', '/v1/collections', { headers, body: JSON.stringify({ name }) })
  }

  async put(collection: string, id: string, input: Input): Promise<void> {
    const path = `/v1/collections/${collection}/items/${encodeURIComponent(id)}`
    await this.#request('PUT', path, { body: formOf([input]) })
  }

  /** Ids of the `limit` nearest items, best first. */
  async search(collection: string, query: Input, limit: number): Promise<string[]> {
    const form = formOf([query])
    form.set('limit', `${limit}`)
    const answer = await this.#request('POST', `/v1/collections/${collection}/search`, { body: form })
    return (answer as { hits: { id: string }[] }).hits.map(({ id }) => id)
  }

  async #request(method: string, path: string, init: { headers?: Record<string, string>; body: FormData | string }) {
    const response = await fetch(`${this.#url}${path}`, { method, ...init })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`)
    return JSON.parse(text) as unknown
  }
}

function formOf(inputs: readonly Input[]): FormData {
  const form = new FormData()
  for (const input of inputs) {
    if (typeof input === 'string') form.append('text', input)
    else form.append('file', new Blob([Uint8Array.from(input)]))
  }
  return form
}

/** Little-endian float32, in memory of its own. */
function fromBase64(text: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(text, 'base64'))
  return new Float32Array(bytes.buffer)
}
