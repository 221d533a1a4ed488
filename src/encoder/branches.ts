/** How each branch of the model stands: opened once, at the start or with its first use, and again after a failure. */
import type { Modality } from '../modality.ts'
import type { BranchState } from './encoder.ts'

export class Branches {
  readonly #open: (modality: Modality) => Promise<unknown>
  readonly #opening = new Map<Modality, Promise<void>>()
  readonly #states = new Map<Modality, BranchState>()

  constructor(open: (modality: Modality) => Promise<unknown>) {
    this.#open = open
  }

  stateOf(modality: Modality): BranchState {
    return this.#states.get(modality) ?? 'unopened'
  }

  /** Resolves when the branch is open, and opens it for that. Rejects with the reason, and tries again when asked again. */
  ready(modality: Modality): Promise<void> {
    const known = this.#opening.get(modality)
    if (known) return known
    const opening = this.watch(modality, this.#open(modality)).then(() => {})
    this.#opening.set(modality, opening)
    return opening
  }

  /** Learns from work of the branch how it stands. Rejects as the work does. */
  async watch<T>(modality: Modality, work: Promise<T>): Promise<T> {
    if (this.stateOf(modality) !== 'ready') this.#states.set(modality, 'opening')
    try {
      const result = await work
      this.#states.set(modality, 'ready')
      return result
    } catch (error) {
      this.#states.set(modality, 'failing')
      this.#opening.delete(modality)
      throw error
    }
  }
}
