/** The conversion cannot be done; the message says why and what to do. */
export class ConvertError extends Error {
  override name = 'ConvertError'
}
