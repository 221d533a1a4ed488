/** The service does not answer, or refuses; the message says what to do. */
export class ServiceError extends Error {
  override name = 'ServiceError'
}
