/**
 * Encoded picture → 8-bit RGB pixels, as Pillow's `convert("RGB")` gives them (spec §11): alpha dropped without blending,
 * palette and grey expanded, ICC profile ignored, the first frame of an animation. Decoding runs on sharp's own threads.
 * Limits are checked on the header, before a pixel is decoded.
 */
import sharp, { type Metadata, type OutputInfo, type Sharp } from 'sharp'
import { DomainError } from '../errors.ts'
import { DEFAULT_MAX_PIXELS } from './image-limits.ts'
import { sniffMedia } from './sniff.ts'

/** What the header says; width and height as stored, before the EXIF orientation is applied. */
export interface ImageInfo {
  format: string
  width: number
  height: number
  /** EXIF orientation 1 to 8; from 5 on, width and height swap when it is applied. */
  orientation: number
}

export interface ImageLimits {
  maxPixels?: number
}

export interface DecodeImageOptions extends ImageLimits {
  /** Turn the picture as its EXIF tag says. The reference ignores the tag; viewers do not. */
  orient: boolean
  signal?: AbortSignal
}

/** 8-bit RGB pixels, row-major, `data.length === width * height * 3`; a view of a buffer of its own. */
export interface DecodedImage {
  modality: 'image'
  format: string
  width: number
  height: number
  data: Uint8Array
}

/** @throws DomainError `unsupported-media-type`, `undecodable-media`, `media-too-large` */
export async function readImageInfo(bytes: Uint8Array, limits: ImageLimits = {}): Promise<ImageInfo> {
  // Asked here too, so that sharp's other readers (SVG among them) never see bytes nobody vouches for.
  if (sniffMedia(bytes)?.modality !== 'image') {
    throw new DomainError('unsupported-media-type', 'The file is none of PNG, JPEG, WebP, GIF, AVIF and TIFF.')
  }
  const meta = await readable(() => open(bytes).metadata())
  const { width, height } = meta
  const maxPixels = limits.maxPixels ?? DEFAULT_MAX_PIXELS
  if (width * height > maxPixels) {
    throw new DomainError(
      'media-too-large',
      `The picture is ${width} × ${height} pixels; at most ${maxPixels} pixels are accepted. Send a smaller one.`,
    )
  }
  return { format: formatOf(meta), width, height, orientation: meta.orientation ?? 1 }
}

/** @throws DomainError as `readImageInfo`, and `deadline-exceeded` (aborted) */
export async function decodeImage(bytes: Uint8Array, options: DecodeImageOptions): Promise<DecodedImage> {
  const { format } = await readImageInfo(bytes, options)
  refuseAborted(options.signal)
  const upright = options.orient ? open(bytes).autoOrient() : open(bytes)
  const { data, info } = await readable(() => toRgb(upright))
  refuseAborted(options.signal)
  // Copied into memory of our own: sharp's belongs to native code, and on Node 24 it cannot be moved to a worker.
  return { modality: 'image', format, width: info.width, height: info.height, data: new Uint8Array(data) }
}

/**
 * WebP of the picture as a viewer shows it, shrunk to fit a square of `sidePx`; smaller ones keep their size, transparent
 * parts stay so.
 * @throws DomainError as `readImageInfo`
 */
export async function thumbnail(bytes: Uint8Array, sidePx: number, limits: ImageLimits): Promise<Buffer> {
  await readImageInfo(bytes, limits)
  const small = open(bytes).autoOrient().resize(sidePx, sidePx, { fit: 'inside', withoutEnlargement: true })
  return readable(() => small.webp({ quality: 80 }).toBuffer())
}

/** `failOn: 'error'`: a truncated file is an error, not grey pixels; what a decoder only warns of is read, as Pillow does. */
function open(bytes: Uint8Array): Sharp {
  return sharp(bytes, { failOn: 'error', limitInputPixels: false, ignoreIcc: true, animated: false })
}

function toRgb(picture: Sharp): Promise<{ data: Buffer; info: OutputInfo }> {
  return picture.toColourspace('srgb').removeAlpha().raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
}

const formatOf = (meta: Metadata): string => (meta.format === 'heif' ? 'avif' : (meta.format ?? 'unknown'))

async function readable<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    throw new DomainError('undecodable-media', 'The picture cannot be decoded: the file is damaged or incomplete.', {
      cause: error,
    })
  }
}

function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new DomainError('deadline-exceeded', 'Decoding the picture was called off.')
}

/** Our own artwork (SVG) as a square PNG on a plain ground. Never for bytes from outside: SVG can refer to other files. */
export function renderArtwork(svg: Uint8Array, sidePx: number, background = '#ffffff'): Promise<Buffer> {
  const margin = Math.round(sidePx / 16)
  const inner = sidePx - 2 * margin
  return sharp(svg, { density: 300 })
    .resize(inner, inner, { fit: 'contain', background })
    .extend({ top: margin, bottom: margin, left: margin, right: margin, background })
    .flatten({ background })
    .png()
    .toBuffer()
}

/** Our own drawing (SVG) as a PNG of few colours: small enough for a repository. Never for bytes from outside. */
export function renderDrawing(svg: string): Promise<Buffer> {
  return sharp(Buffer.from(svg))
    .png({ palette: true, colours: 160, dither: 0.4, effort: 10, compressionLevel: 9 })
    .toBuffer()
}

/** Kinds of picture that `drawOver` writes, by the ending of their name. */
const DRAWABLE = /\.(png|jpe?g|webp)$/i

export function isDrawable(name: string): boolean {
  return DRAWABLE.test(name)
}

/**
 * A picture as a viewer shows it, with our own drawing (SVG) of its size upon it, encoded as the ending of `name` says.
 * @throws DomainError as `readImageInfo`
 */
export async function drawOver(
  bytes: Uint8Array,
  svg: string,
  name: string,
  limits: ImageLimits = {},
): Promise<Buffer> {
  await readImageInfo(bytes, limits)
  const upright = await readable(() => open(bytes).autoOrient().png().toBuffer())
  const ending = DRAWABLE.exec(name)![1]!.toLowerCase().replace('jpg', 'jpeg') as 'png' | 'jpeg' | 'webp'
  return sharp(upright)
    .composite([{ input: Buffer.from(svg) }])
    .toFormat(ending)
    .toBuffer()
}
