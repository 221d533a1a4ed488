/** A checkpoint that cannot be read. The message is one whole sentence or two and says what to do. */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError'
}
