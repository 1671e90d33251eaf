// azidentity and azkeys, as a Go program uses them: a smoke suite.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

const (
	tenant       = "11111111-1111-1111-1111-111111111111"
	clientID     = "22222222-2222-2222-2222-222222222222"
	clientSecret = "emulator-secret"
)

var (
	port    = os.Getenv("CLIENTS_PORT")
	vault   = "https://clientsvault.vault.localhost:" + port
	ctx     = context.Background()
	keyText = []byte("0123456789abcdef0123456789abcdef")
)

var passed, failed int

func check(what string, body func() error) {
	if err := body(); err != nil {
		failed++
		fmt.Printf("FAILED go keys: %s\n%v\n", what, err)
		return
	}
	passed++
	fmt.Printf("ok     go keys: %s\n", what)
}

func require(ok bool, format string, values ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, values...)
}

// refused tells whether err is the service's refusal with this status and code.
func refused(err error, status int, code string) error {
	var answer *azcore.ResponseError
	return require(errors.As(err, &answer) && answer.StatusCode == status && answer.ErrorCode == code,
		"expected %d %s, got %v", status, code, err)
}

func client() (*azkeys.Client, error) {
	login := azidentity.ClientSecretCredentialOptions{DisableInstanceDiscovery: true}
	login.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: "https://login.localhost:" + port}
	credential, err := azidentity.NewClientSecretCredential(tenant, clientID, clientSecret, &login)
	if err != nil {
		return nil, err
	}
	return azkeys.NewClient(vault, credential, nil)
}

func main() {
	keys, err := client()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	var first, second azkeys.KeyBundle

	check("create and rotate a key", func() error {
		made, err := keys.CreateKey(ctx, "go-rsa", azkeys.CreateKeyParameters{
			Kty: to.Ptr(azkeys.KeyTypeRSA), KeySize: to.Ptr(int32(2048)), Tags: map[string]*string{"purpose": to.Ptr("clients")}}, nil)
		if err != nil {
			return err
		}
		first = made.KeyBundle
		rotated, err := keys.RotateKey(ctx, "go-rsa", nil)
		if err != nil {
			return err
		}
		second = rotated.KeyBundle
		newest, err := keys.GetKey(ctx, "go-rsa", "", nil)
		if err != nil {
			return err
		}
		return require(*newest.Key.KID == *second.Key.KID && *first.Key.KID != *second.Key.KID && len(second.Key.N) == 256 &&
			*newest.Tags["purpose"] == "clients", "%v, then %v, newest %v", *first.Key.KID, *second.Key.KID, *newest.Key.KID)
	})

	check("wrap and unwrap, by the version that wrapped", func() error {
		version := first.Key.KID.Version()
		parameters := azkeys.KeyOperationParameters{Algorithm: to.Ptr(azkeys.EncryptionAlgorithmRSAOAEP256), Value: keyText}
		wrapped, err := keys.WrapKey(ctx, "go-rsa", version, parameters, nil)
		if err != nil {
			return err
		}
		parameters.Value = wrapped.Result
		unwrapped, err := keys.UnwrapKey(ctx, "go-rsa", version, parameters, nil)
		if err != nil {
			return err
		}
		return require(bytes.Equal(unwrapped.Result, keyText) && !bytes.Contains(wrapped.Result, keyText), "unwrapped %x", unwrapped.Result)
	})

	check("sign and verify with a curve", func() error {
		if _, err := keys.CreateKey(ctx, "go-ec", azkeys.CreateKeyParameters{
			Kty: to.Ptr(azkeys.KeyTypeEC), Curve: to.Ptr(azkeys.CurveNameP256)}, nil); err != nil {
			return err
		}
		digest := sha256.Sum256(keyText)
		signed, err := keys.Sign(ctx, "go-ec", "", azkeys.SignParameters{Algorithm: to.Ptr(azkeys.SignatureAlgorithmES256), Value: digest[:]}, nil)
		if err != nil {
			return err
		}
		verified, err := keys.Verify(ctx, "go-ec", "", azkeys.VerifyParameters{
			Algorithm: to.Ptr(azkeys.SignatureAlgorithmES256), Digest: digest[:], Signature: signed.Result}, nil)
		if err != nil {
			return err
		}
		return require(*verified.Value, "a good signature is said to be bad")
	})

	check("list keys and versions", func() error {
		var names []string
		for pager := keys.NewListKeyPropertiesPager(nil); pager.More(); {
			page, err := pager.NextPage(ctx)
			if err != nil {
				return err
			}
			for _, k := range page.Value {
				names = append(names, k.KID.Name())
			}
		}
		versions := 0
		for pager := keys.NewListKeyPropertiesVersionsPager("go-rsa", nil); pager.More(); {
			page, err := pager.NextPage(ctx)
			if err != nil {
				return err
			}
			versions += len(page.Value)
		}
		return require(len(names) == 2 && versions == 2, "keys %v, %d versions", names, versions)
	})

	check("delete, recover, delete, purge", func() error {
		deleted, err := keys.DeleteKey(ctx, "go-rsa", nil)
		if err != nil {
			return err
		}
		if err := require(*deleted.RecoveryID == vault+"/deletedkeys/go-rsa", "recovery id %s", *deleted.RecoveryID); err != nil {
			return err
		}
		_, err = keys.GetKey(ctx, "go-rsa", "", nil)
		if err := refused(err, http.StatusNotFound, "KeyNotFound"); err != nil {
			return err
		}
		recovered, err := keys.RecoverDeletedKey(ctx, "go-rsa", nil)
		if err != nil {
			return err
		}
		if err := require(*recovered.Key.KID == *second.Key.KID, "recovered %s", *recovered.Key.KID); err != nil {
			return err
		}
		if _, err := keys.DeleteKey(ctx, "go-ec", nil); err != nil {
			return err
		}
		if _, err := keys.PurgeDeletedKey(ctx, "go-ec", nil); err != nil {
			return err
		}
		_, err = keys.GetDeletedKey(ctx, "go-ec", nil)
		return refused(err, http.StatusNotFound, "KeyNotFound")
	})

	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
