"""Certificates for tests, made by the openssl program: an authority, and what it signs."""
import pathlib
import ssl
import subprocess


class Authority:
    """Signs certificates into files of a directory."""

    def __init__(self, directory, name="authority"):
        self.directory, self.name, self.serial = pathlib.Path(directory), name, 0
        self.certificate = self.directory / f"{name}.pem"
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                  f"/CN={name}", "-keyout", self._key(name), "-out", self.certificate)

    def issue(self, file, hosts="DNS:localhost,IP:127.0.0.1"):
        """The paths of a certificate and its key, replaced if they exist."""
        self.serial += 1
        request, extensions = self.directory / f"{file}.csr", self.directory / f"{file}.ext"
        extensions.write_text(f"subjectAltName={hosts}\nbasicConstraints=CA:FALSE\n")
        certificate, key = self.directory / f"{file}.pem", self._key(file)
        self._run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={file}", "-keyout", key,
                  "-out", request)
        self._run("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key(self.name), "-days", "2",
                  "-set_serial", str(self.serial), "-extfile", extensions, "-out", certificate)
        return certificate, key

    def trusted(self, certificate=None):
        """A client's context that trusts it, and shows a certificate (a pair of paths) if one is given."""
        context = ssl.create_default_context(cafile=self.certificate)
        if certificate:
            context.load_cert_chain(*certificate)
        return context

    def serving(self, file="engine", **options):
        """A server's context."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue(file, **options))
        return context

    def _key(self, name):
        return self.directory / f"{name}.key"

    @staticmethod
    def _run(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=20)
