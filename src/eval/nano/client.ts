/** The few calls of our own HTTP API that the benchmark needs; over a socket, like anyone's. */

export interface Hit {
  id: string
  score: number
}

export class BenchmarkClient {
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  async createCollection(name: string): Promise<void> {
    await this.#json('POST', '/v1/collections', { name })
  }

  async putText(collection: string, id: string, text: string): Promise<void> {
    await this.#json('PUT', `/v1/collections/${collection}/items/${encodeURIComponent(id)}`, { input: text })
  }

  async putFile(collection: string, id: string, bytes: Uint8Array): Promise<void> {
    const form = new FormData()
    form.set('file', new Blob([Uint8Array.from(bytes)]))
    await this.#request('PUT', `/v1/collections/${collection}/items/${encodeURIComponent(id)}`, { body: form })
  }

  /** Ids of the `limit` nearest items, best first. */
  async searchText(collection: string, text: string, limit: number): Promise<Hit[]> {
    return this.#hits(await this.#json('POST', `/v1/collections/${collection}/search`, { query: text, limit }))
  }

  async searchFile(collection: string, bytes: Uint8Array, limit: number): Promise<Hit[]> {
    const form = new FormData()
    form.set('file', new Blob([Uint8Array.from(bytes)]))
    form.set('limit', `${limit}`)
    return this.#hits(await this.#request('POST', `/v1/collections/${collection}/search`, { body: form }))
  }

  #hits(answer: unknown): Hit[] {
    return (answer as { hits: Hit[] }).hits
  }

  #json(method: string, path: string, body: unknown): Promise<unknown> {
    const headers = { 'content-type': 'application/json' }
    return this.#request(method, path, { headers, body: JSON.stringify(body) })
  }

  async #request(method: string, path: string, init: { headers?: Record<string, string>; body: FormData | string }) {
    const response = await fetch(`${this.#url}${path}`, { method, ...init })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`)
    return JSON.parse(text) as unknown
  }
}
