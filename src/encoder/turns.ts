/** Lends a few resources (sessions) out, one user each at a time, in the order they were asked for. */
export class Turns<Resource> {
  private readonly free: Resource[]
  private readonly waiting: ((resource: Resource) => void)[] = []

  constructor(resources: readonly Resource[]) {
    this.free = [...resources]
  }

  /** The next free resource; whoever takes it gives it back with `release`. */
  take(): Promise<Resource> {
    const resource = this.free.shift()
    if (resource !== undefined) return Promise.resolve(resource)
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  release(resource: Resource): void {
    const next = this.waiting.shift()
    if (next) next(resource)
    else this.free.push(resource)
  }
}
