"""What stands for a patient and for a file where they must not be named."""

from __future__ import annotations

import hashlib
import hmac


def patient_key(secret: bytes, site: str, patient_id: str) -> str:
    """Return what stands for a patient: a keyed hash of site and PatientID.

    Identity is per site: the same PatientID at two sites is two patients.

    Parameters
    ----------
    secret : bytes
        The catalogue's key.
    site, patient_id : str
        The hospital, and its number for the patient.

    Returns
    -------
    str
        32 hexadecimal digits (HMAC-SHA256, RFC 2104, its first half).
    """
    message = f"{len(site)}:{site}{patient_id}".encode("utf-8", "surrogatepass")
    return hmac.digest(secret, message, "sha256")[:16].hex()


def file_id(secret: bytes, path: bytes) -> int:
    """Return what stands for a file: a keyed hash of its path, 63 bits."""
    digest = hashlib.blake2b(path, digest_size=8, key=secret).digest()
    return int.from_bytes(digest, "little") >> 1
